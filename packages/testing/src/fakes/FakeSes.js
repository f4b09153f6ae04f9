/**
 * Amazon SES v2 for tests: `POST /v2/email/outbound-emails`. The recipient's local part decides the answer: `throttled`,
 * `busy` (both the first time only), `quota`, `paused`, `rejected`, `sandbox` (not verified), `cut` (taken, then the
 * connection is lost); every other mail is accepted.
 */
import { Context, Effect, Layer } from "effect";
import * as FakeHttpServer from "./FakeHttpServer.ts";
export class FakeSes extends Context.Service()("@armoricore/testing/FakeSes") {
    static layer = Layer.effect(FakeSes, Effect.suspend(() => make));
}
const make = Effect.gen(function* () {
    const accepted = [];
    const attemptedRecipients = [];
    const answer = (request) => {
        if (request.path !== "/v2/email/outbound-emails")
            return errorResponse(404, "NotFoundException", "no such operation");
        if (!(request.headers.authorization ?? "").startsWith("AWS4-HMAC-SHA256 Credential=fake-id/")) {
            return errorResponse(403, "UnrecognizedClientException", "the security token is invalid");
        }
        const body = JSON.parse(request.body.toString());
        const to = body.Destination.ToAddresses[0];
        const again = attemptedRecipients.includes(to);
        attemptedRecipients.push(to);
        if (to.startsWith("throttled") && !again) {
            return errorResponse(429, "TooManyRequestsException", "Maximum sending rate exceeded.");
        }
        if (to.startsWith("quota"))
            return errorResponse(429, "TooManyRequestsException", "Daily message quota exceeded.");
        if (to.startsWith("busy") && !again)
            return errorResponse(500, "InternalFailure", "out of order");
        if (to.startsWith("paused"))
            return errorResponse(400, "SendingPausedException", "sending is paused");
        const unverified = to.startsWith("sandbox") ? to : fake.senderVerified ? undefined : body.FromEmailAddress;
        if (unverified !== undefined) {
            const which = `The following identities failed the check in region EU-WEST-1: ${unverified}`;
            return errorResponse(400, "MessageRejected", `Email address is not verified. ${which}`);
        }
        if (to.startsWith("rejected"))
            return errorResponse(400, "MessageRejected", "the message holds a virus");
        const messageId = crypto.randomUUID();
        const tags = Object.fromEntries((body.EmailTags ?? []).map(({ Name, Value }) => [Name, Value]));
        const { BccAddresses: bcc = [], CcAddresses: cc = [] } = body.Destination;
        accepted.push({ to, cc, bcc, tags, raw: Buffer.from(body.Content.Raw.Data, "base64").toString(), messageId });
        if (to.startsWith("cut") && !again)
            return { status: 0, disconnect: true };
        return { status: 200, body: JSON.stringify({ MessageId: messageId }) };
    };
    const fake = {
        endpoint: yield* FakeHttpServer.listenHttp(answer),
        region: "eu-west-1",
        credentials: { accessKeyId: "fake-id", secretAccessKey: "fake-secret" },
        accepted,
        attemptedRecipients,
        senderVerified: true,
    };
    return fake;
});
const errorResponse = (status, name, message) => ({
    status,
    headers: { "x-amzn-errortype": name },
    body: JSON.stringify({ message }),
});
