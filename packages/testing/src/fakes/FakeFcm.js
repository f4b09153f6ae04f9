/**
 * Firebase Cloud Messaging with its OAuth token endpoint, for tests. The assertion's RS256 signature and claims are
 * verified; access tokens are checked on every message. The name of a device token selects the response, see
 * {@link scenarios}; every accepted message is in `sent`.
 */
import { Context, Effect, Layer, Redacted } from "effect";
import { exportPKCS8, generateKeyPair, jwtVerify } from "jose";
import * as FakeHttpServer from "./FakeHttpServer.ts";
export class FakeFcm extends Context.Service()("@armoricore/testing/FakeFcm") {
    static layer = Layer.effect(FakeFcm, Effect.suspend(() => make));
}
/** The start of a device token → what it is answered with; any other token is accepted. */
export const scenarios = {
    "dead-": { status: 404, code: "UNREGISTERED", fcm: true },
    "invalid-": { status: 400, code: "INVALID_ARGUMENT", fcm: true },
    "field-": { status: 400, code: "INVALID_ARGUMENT" },
    "sender-": { status: 403, code: "SENDER_ID_MISMATCH", fcm: true },
    "thirdparty-": { status: 401, code: "THIRD_PARTY_AUTH_ERROR", fcm: true },
    "quota-": { status: 429, code: "QUOTA_EXCEEDED", fcm: true },
    "throttled-": { status: 429, code: "QUOTA_EXCEEDED", fcm: true, headers: { "retry-after": "1" }, times: 1 },
    "busy-": { status: 503, code: "UNAVAILABLE", fcm: true, headers: { "retry-after": "2" }, times: 1 },
    "internal-": { status: 500, code: "INTERNAL", fcm: true, times: 1 },
    "broken-": { status: 503, code: "UNAVAILABLE", fcm: true },
    "cut-": { status: 0, code: "", disconnect: true, times: 1 },
};
const project = "fake-project";
const email = "notify@fake-project.iam.gserviceaccount.com";
const make = Effect.gen(function* () {
    const { privateKey, publicKey } = yield* Effect.promise(() => generateKeyPair("RS256", { extractable: true }));
    const pem = yield* Effect.promise(() => exportPKCS8(privateKey));
    const access = new Set();
    const seen = new Map();
    const sent = [];
    const requestedTokens = [];
    let given = 0;
    const answerToken = async (body) => {
        const form = new URLSearchParams(body.toString());
        const sound = await jwtVerify(form.get("assertion") ?? "", publicKey, {
            issuer: email,
            audience: `${baseUrl}/token`,
            algorithms: ["RS256"],
        }).then(({ payload }) => payload["scope"] === "https://www.googleapis.com/auth/firebase.messaging" &&
            (payload.exp ?? 0) - (payload.iat ?? 0) <= 3_600, () => false);
        if (!sound || form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer") {
            return { status: 400, body: JSON.stringify({ error: "invalid_grant" }) };
        }
        const token = `ya29.${crypto.randomUUID()}`;
        access.add(token);
        given++;
        return { status: 200, body: JSON.stringify({ access_token: token, expires_in: 3_599, token_type: "Bearer" }) };
    };
    const answer = (request) => {
        if (request.path === "/token")
            return answerToken(request.body);
        const [, calledProject] = /^\/v1\/projects\/(fake-project(?:-driver)?)\/messages:send$/.exec(request.path) ?? [];
        if (calledProject === undefined)
            return { status: 404, body: "{}" };
        if (!access.has(request.headers.authorization?.slice("Bearer ".length) ?? "")) {
            return errorResponse({ status: 401, code: "UNAUTHENTICATED" });
        }
        const { message } = JSON.parse(request.body.toString());
        const token = message.token ?? message.topic ?? message.condition;
        requestedTokens.push(token);
        if (fake.unavailable)
            return errorResponse({ status: 503, code: "UNAVAILABLE", fcm: true });
        const count = (seen.get(token) ?? 0) + 1;
        seen.set(token, count);
        const [, usual] = Object.entries(scenarios).find(([prefix]) => token.startsWith(prefix)) ?? [];
        const scenario = fake.override(token) ?? usual;
        if (scenario !== undefined && count <= (scenario.times ?? Infinity)) {
            // A cut connection is one whose message was taken: the device gets it.
            if (scenario.disconnect === true)
                sent.push({ token, message, position: sent.length });
            return errorResponse(scenario);
        }
        if (fake.acceptedBody !== undefined)
            return { status: 200, body: fake.acceptedBody };
        sent.push({ token, message, position: sent.length });
        return { status: 200, body: JSON.stringify({ name: `projects/${calledProject}/messages/${crypto.randomUUID()}` }) };
    };
    const baseUrl = yield* FakeHttpServer.listenHttp(answer);
    const account = {
        type: "service_account",
        project_id: project,
        private_key: pem,
        client_email: email,
        token_uri: `${baseUrl}/token`,
    };
    const fake = {
        baseUrl,
        serviceAccount: Redacted.make(JSON.stringify(account)),
        apps: Redacted.make(JSON.stringify({ driver: { ...account, project_id: `${project}-driver` } })),
        sent,
        requestedTokens,
        accessTokensIssued: () => given,
        expireTokens: () => access.clear(),
        unavailable: false,
        acceptedBody: undefined,
        override: () => undefined,
    };
    return fake;
});
const errorResponse = ({ code, disconnect, fcm, headers = {}, status }) => ({
    status,
    headers,
    ...(disconnect === true ? { disconnect } : {}),
    body: JSON.stringify({
        error: {
            code: status,
            message: `refused: ${code}`,
            status: code,
            details: fcm === true
                ? [{ "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", errorCode: code }]
                : [
                    {
                        "@type": "type.googleapis.com/google.rpc.BadRequest",
                        fieldViolations: [{ field: "message.data", description: "wrong" }],
                    },
                ],
        },
    }),
});
