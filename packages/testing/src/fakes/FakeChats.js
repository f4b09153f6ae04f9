/**
 * The incoming webhooks of Slack, Microsoft Teams and Discord, and a receiver of signed webhooks, for tests: over TLS, with the
 * documented responses. The last part of the path decides the answer; see `responses`. Other paths accept.
 */
import { Context, Effect, Layer } from "effect";
import { createServer } from "node:https";
import { listen } from "../LocalPort.ts";
import * as FakeHttpServer from "./FakeHttpServer.ts";
import { certificate, privateKey } from "./TestCertificate.ts";
export class FakeChats extends Context.Service()("@armoricore/testing/FakeChats") {
    static layer = Layer.effect(FakeChats, Effect.suspend(() => make));
}
const text = (status, body) => ({ status, headers: { "content-type": "text/plain" }, body });
const json = (status, body) => ({ status, body: JSON.stringify(body) });
const connectorFailure = (status) => text(200, `Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error ${status} with ContextId tcid=0.`);
const responses = {
    slack: {
        ok: text(200, "ok"),
        throttled: { ...text(429, "rate_limited"), headers: { "retry-after": "1" }, times: 1 },
        removed: text(404, "no_service"),
        archived: text(410, "channel_is_archived"),
        prohibited: text(403, "action_prohibited"),
        rollup: { ...text(500, "rollup_error"), times: 1 },
    },
    teams: {
        ok: { status: 202 },
        connector: text(200, "1"),
        throttled: { ...connectorFailure(429), times: 1 },
        refused: connectorFailure(413),
        removed: { status: 404 },
    },
    discord: {
        ok: json(200, { type: 0, id: "1137105789420867674", channel_id: "1" }),
        throttled: {
            ...json(429, { message: "You are being rate limited.", retry_after: 1, global: false }),
            headers: { "retry-after": "1" },
            times: 1,
        },
        removed: json(404, { message: "Unknown Webhook", code: 10_015 }),
        token: json(401, { message: "Invalid Webhook Token", code: 50_027 }),
        invalid: json(400, { message: "Invalid Form Body", code: 50_035 }),
    },
    webhook: {
        ok: { status: 204 },
        busy: { status: 503, headers: { "retry-after": "1" }, times: 1 },
        removed: { status: 410 },
        moved: { status: 301, headers: { location: "https://example.com/" } },
        cut: { status: 0, disconnect: true, times: 1 },
    },
};
const make = Effect.gen(function* () {
    const received = [];
    const counts = new Map();
    const answer = (request) => {
        const { pathname } = new URL(request.path, "https://localhost");
        const [, kind = "", name = "ok"] = pathname.split("/");
        const count = (counts.get(pathname) ?? 0) + 1;
        counts.set(pathname, count);
        const whole = request.body.toString();
        received.push({ path: request.path, headers: request.headers, text: whole, body: JSON.parse(whole) });
        const known = isKind(kind) ? responses[kind] : {};
        const chosen = known[name];
        if (chosen === undefined)
            return { status: 404 };
        return chosen.times !== undefined && count > chosen.times ? (known["ok"] ?? { status: 404 }) : chosen;
    };
    const server = FakeHttpServer.bufferedServer((listener) => createServer({ key: privateKey, cert: certificate }, listener), answer);
    const port = yield* listen(server);
    return FakeChats.of({
        urlOf: (kind, name = "ok") => `https://localhost:${port}/${kind}/${name}`,
        received,
        ca: certificate,
    });
});
const isKind = (text) => Object.hasOwn(responses, text);
