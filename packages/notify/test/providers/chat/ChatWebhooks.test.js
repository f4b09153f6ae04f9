/** Slack, Teams, Discord and signed webhooks against their documented responses. */
import * as Signature from "@armoricore/domain/Signature";
import { FakeChats } from "@armoricore/testing/fakes/FakeChats";
import { assert, describe, it } from "@effect/vitest";
import { Clock, Effect, Layer, Redacted } from "effect";
import * as Discord from "../../../src/providers/chat/Discord.ts";
import * as SignedWebhook from "../../../src/providers/chat/SignedWebhook.ts";
import * as Slack from "../../../src/providers/chat/Slack.ts";
import * as Teams from "../../../src/providers/chat/Teams.ts";
import { awaitEvent, awaitFinal, ports, publishRequest, recordEvents, service } from "../../support/NotifyHarness.ts";
const secret = Redacted.make("a secret of webhooks");
const chats = Layer.unwrap(Effect.map(FakeChats, ({ ca }) => Layer.mergeAll(Slack.layer({ privateEndpoints: { ca } }), Teams.layer({ privateEndpoints: { ca } }), Discord.layer({ privateEndpoints: { ca } }), SignedWebhook.layer({ privateEndpoints: { ca }, secret }))));
const installed = service(chats).pipe(Layer.provideMerge(Layer.merge(ports, FakeChats.layer)));
const recipientOf = (kind, url) => ({ slack: { slack: url }, teams: { teams: url }, discord: { discord: url }, webhook: { webhook: url } })[kind];
const send = Effect.fnUntraced(function* (kind, answer, more = {}) {
    const { urlOf } = yield* FakeChats;
    const recipients = [recipientOf(kind, urlOf(kind, answer))];
    return yield* awaitFinal(yield* publishRequest({ notification_type: kind, recipients, ...more }));
});
const summaryOf = (...args) => Effect.map(send(...args), (state) => state?.deliveries[0]?.summary ?? {});
describe("a message to a chat", () => {
    it.live("has the format of each service, and cannot mention a whole channel", () => Effect.gen(function* () {
        const { received } = yield* FakeChats;
        const texts = { title: "A & B", body: "<!channel> *hi*" };
        for (const kind of ["slack", "teams", "discord"])
            assert.strictEqual((yield* send(kind, "ok", texts))?.status, "sent");
        const [slack, teams, discord] = received;
        assert.deepStrictEqual(slack?.body, { text: "*A &amp; B*\n&lt;!channel&gt; *hi*" });
        assert.deepNestedInclude(teams?.body, {
            type: "message",
            "attachments[0].contentType": "application/vnd.microsoft.card.adaptive",
            "attachments[0].content.body[0].text": "A & B",
            "attachments[0].content.body[1].text": "<!channel> *hi*",
        });
        assert.deepStrictEqual(discord?.body, { content: "**A & B**\n<!channel> *hi*", allowed_mentions: { parse: [] } });
        assert.strictEqual(discord?.path, "/discord/ok?wait=true");
    }).pipe(Effect.provide(installed)));
    it.live("takes the fields of data.<channel>, and names a wrong one", () => Effect.gen(function* () {
        const { received } = yield* FakeChats;
        const blocks = [{ type: "divider" }];
        yield* send("slack", "ok", { data: { slack: { blocks } } });
        assert.deepNestedInclude(received[0]?.body, { blocks, text: "*Hello*\nWorld" });
        const wrong = yield* summaryOf("slack", "ok", { data: { slack: "text" } });
        assert.deepInclude(wrong, { status: "failed", reason: "invalid_payload" });
        const long = yield* summaryOf("discord", "ok", { body: "x".repeat(2_000) });
        assert.deepInclude(long, { status: "failed", reason: "invalid_payload" });
        const large = yield* summaryOf("teams", "ok", { body: "x".repeat(28_000) });
        assert.deepInclude(large, { status: "failed", reason: "payload_too_large" });
        assert.lengthOf(received, 1);
    }).pipe(Effect.provide(installed)));
    it.live("ends as the documented responses say", () => Effect.gen(function* () {
        const sent = { status: "sent" };
        const failed = (reason) => ({ status: "failed", reason });
        const cases = [
            ["slack", "rollup", sent],
            ["slack", "removed", failed("no_service")],
            ["slack", "archived", failed("channel_is_archived")],
            ["slack", "prohibited", failed("refused")],
            ["teams", "connector", sent],
            ["teams", "refused", failed("refused")],
            ["teams", "removed", failed("webhook_gone")],
            ["discord", "ok", { ...sent, provider_id: "1137105789420867674" }],
            ["discord", "removed", failed("unknown_webhook")],
            ["discord", "token", failed("unknown_webhook")],
            ["discord", "invalid", failed("refused")],
            ["webhook", "removed", failed("webhook_gone")],
            ["webhook", "moved", failed("redirected")],
            ["webhook", "cut", sent],
        ];
        for (const [kind, answer, expected] of cases)
            assert.deepInclude(yield* summaryOf(kind, answer), expected, `${kind} ${answer}`);
    }).pipe(Effect.provide(installed)));
    it.live("waits as long as Retry-After says, without using up its attempts", () => Effect.gen(function* () {
        const { received } = yield* FakeChats;
        const started = yield* Clock.currentTimeMillis;
        const states = yield* Effect.forEach(["slack", "discord", "webhook"], (kind) => send(kind, kind === "webhook" ? "busy" : "throttled"), { concurrency: "unbounded" });
        assert.deepStrictEqual(states.map((state) => state?.status), ["sent", "sent", "sent"]);
        assert.isAtLeast((yield* Clock.currentTimeMillis) - started, 990);
        assert.lengthOf(received, 6);
    }).pipe(Effect.provide(installed)));
    it.live("reports a webhook that is gone, so that the backend drops it", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        yield* send("slack", "removed");
        const { payload } = yield* awaitEvent(events, "device.token_invalid");
        assert.deepInclude(payload, { platform: "slack", reason: "no_service" });
    }).pipe(Effect.provide(installed)));
    it.live("is signed as result events are, and a repetition has the same delivery_id", () => Effect.gen(function* () {
        const { received } = yield* FakeChats;
        const state = yield* send("webhook", "cut", { data: { order: 7 } });
        assert.lengthOf(received, 2);
        for (const { body, headers, text } of received) {
            assert.deepInclude(body, { delivery_id: state?.deliveries[0]?.delivery_id, user_id: "u", data: { order: 7 } });
            const keys = new Map([["notify", secret]]);
            const header = headers[Signature.signatureHeader.toLowerCase()];
            const key = yield* Signature.verify(keys, typeof header === "string" ? header : undefined, Buffer.from(text), yield* Clock.currentTimeMillis);
            assert.strictEqual(key, "notify");
        }
    }).pipe(Effect.provide(installed)));
});
describe("the URL of a chat", () => {
    const publicOnly = service(Layer.mergeAll(Slack.layer({}), SignedWebhook.layer({ secret }))).pipe(Layer.provideMerge(Layer.merge(ports, FakeChats.layer)));
    it.live("must be https on the public internet", () => Effect.gen(function* () {
        const { received, urlOf } = yield* FakeChats;
        const reasonFor = (recipient, notification_type = "slack") => Effect.map(Effect.flatMap(publishRequest({ notification_type, recipients: [recipient] }), (id) => awaitFinal(id)), (state) => state?.deliveries[0]?.summary?.reason);
        assert.strictEqual(yield* reasonFor({ slack: urlOf("slack") }), "endpoint_refused");
        assert.strictEqual(yield* reasonFor({ slack: "http://hooks.example.com/a" }), "malformed_url");
        assert.strictEqual(yield* reasonFor({ slack: "hooks" }), "malformed_url");
        assert.strictEqual(yield* reasonFor({ webhook: "https://169.254.169.254/a" }, "webhook"), "endpoint_refused");
        assert.strictEqual(yield* reasonFor({ email: "anna@example.org" }), "wrong_recipient");
        assert.isEmpty(received);
    }).pipe(Effect.provide(publicOnly)));
});
