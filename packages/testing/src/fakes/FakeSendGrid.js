/**
 * SendGrid for tests: `/v3/mail/send`, and the signed calls of its event webhook. The recipient's local part decides the
 * answer: `throttled`, `busy` (both the first time only), `unauthorized`, `malformed`, `large`, `cut` (taken, then the
 * connection is lost); every other mail is accepted.
 */
import { Context, Effect, Layer, Redacted } from "effect";
import { generateKeyPairSync, sign } from "node:crypto";
import * as FakeHttpServer from "./FakeHttpServer.ts";
export class FakeSendGrid extends Context.Service()("@armoricore/testing/FakeSendGrid") {
    static layer = Layer.effect(FakeSendGrid, Effect.suspend(() => make));
}
const apiKey = "SG.fake-key";
const make = Effect.gen(function* () {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const accepted = [];
    const attemptedRecipients = [];
    const seen = new Set();
    const answer = (request) => {
        if (request.headers.authorization !== `Bearer ${apiKey}`)
            return errorResponse(401, "authorization required");
        if (fake.unavailable)
            return errorResponse(503, "out of order");
        const body = JSON.parse(request.body.toString());
        const [person] = body.personalizations;
        const to = person.to[0].email;
        const again = attemptedRecipients.includes(to);
        attemptedRecipients.push(to);
        if (to.startsWith("throttled") && !again) {
            const reset = Math.ceil(Date.now() / 1000) + 1;
            return { ...errorResponse(429, "too many requests"), headers: { "x-ratelimit-reset": String(reset) } };
        }
        if (to.startsWith("busy") && !again)
            return errorResponse(503, "out of order");
        if (to.startsWith("unauthorized"))
            return errorResponse(403, "the sender is not verified");
        if (to.startsWith("malformed"))
            return errorResponse(400, "does not contain a valid address");
        if (to.startsWith("large"))
            return errorResponse(413, "payload too large");
        const messageId = crypto.randomUUID();
        accepted.push({ to, deliveryId: person.custom_args?.delivery_id, messageId, body });
        if (to.startsWith("cut") && !seen.has(to) && seen.add(to) !== undefined)
            return { status: 0, disconnect: true };
        return { status: 202, headers: { "x-message-id": messageId } };
    };
    const fake = {
        baseUrl: yield* FakeHttpServer.listenHttp(answer),
        apiKey: Redacted.make(apiKey),
        webhookKey: publicKey.export({ format: "der", type: "spki" }).toString("base64"),
        accepted,
        attemptedRecipients,
        webhook: (events, timestamp = Math.floor(Date.now() / 1000)) => {
            const body = JSON.stringify(events);
            return {
                body,
                headers: {
                    "content-type": "application/json",
                    "x-twilio-email-event-webhook-timestamp": String(timestamp),
                    "x-twilio-email-event-webhook-signature": sign("sha256", Buffer.from(`${timestamp}${body}`), privateKey).toString("base64"),
                },
            };
        },
        unavailable: false,
    };
    return fake;
});
const errorResponse = (status, message) => ({
    status,
    body: JSON.stringify({ errors: [{ message }] }),
});
