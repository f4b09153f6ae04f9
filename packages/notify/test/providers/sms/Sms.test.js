/** SMS by Twilio's API and by an HTTP endpoint, and the reports of Twilio. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer";
import { PublicUrl } from "@armoricore/storage/PublicUrl";
import { expectNothingFor } from "@armoricore/testing/Eventually";
import * as FakeHttpServer from "@armoricore/testing/fakes/FakeHttpServer";
import { FakeTwilio } from "@armoricore/testing/fakes/FakeTwilio";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer, Redacted } from "effect";
import { HttpRouter } from "effect/http";
import * as SmsHttp from "../../../src/providers/sms/SmsHttp.ts";
import * as Twilio from "../../../src/providers/sms/Twilio.ts";
import * as TwilioWebhook from "../../../src/webhooks/TwilioWebhook.ts";
import { awaitEvent, awaitFinal, ports, publishRequest, recordEvents, service } from "../../support/NotifyHarness.ts";
import { call, of } from "../../support/WebhookHarness.ts";
const twilio = (change = {}) => Layer.unwrap(Effect.map(FakeTwilio, ({ account, baseUrl, from, token }) => Twilio.layer({ account, baseUrl, from, token, ...change })));
const publicUrl = "https://armoricore.example.com";
const installed = (change = {}) => HttpRouter.serve(Layer.unwrap(Effect.map(FakeTwilio, ({ token }) => TwilioWebhook.routes({ token }))), {
    disableLogger: true,
    disableListenLog: true,
}).pipe(Layer.provideMerge(service(twilio(change))), Layer.provideMerge(Layer.mergeAll(ports, FakeTwilio.layer, NodeHttpServer.layerTest, PublicUrl.layerFixed(publicUrl))));
const send = (sms, more = {}) => Effect.flatMap(publishRequest({ notification_type: "sms", recipients: [{ sms }], ...more }), (id) => awaitFinal(id));
const summaryOf = (...args) => Effect.map(send(...args), (state) => state?.deliveries[0]?.summary ?? {});
describe("an SMS by Twilio", () => {
    it.live("has the text, the sender and a callback, and its number may be written with blanks", () => Effect.gen(function* () {
        const { accepted, from } = yield* FakeTwilio;
        const state = yield* send("+1 (500) 555-0100", { expires_at: new Date(Date.now() + 600_000).toISOString() });
        const [sms] = accepted;
        assert.deepInclude(state?.deliveries[0]?.summary, { channel: "sms", provider: "twilio" });
        assert.strictEqual(state?.deliveries[0]?.summary?.provider_id, sms?.sid);
        const { StatusCallback, ValidityPeriod, ...rest } = sms?.parameters ?? {};
        assert.deepStrictEqual(rest, { To: "+15005550100", Body: "Hello\nWorld", From: from });
        assert.strictEqual(StatusCallback, `${publicUrl}/v1/webhooks/twilio?delivery_id=${state?.deliveries[0]?.delivery_id}`);
        assert.closeTo(Number(ValidityPeriod), 600, 5);
    }).pipe(Effect.provide(installed())));
    it.live("ends as the documented error codes say", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const { attemptedNumbers } = yield* FakeTwilio;
        const failed = (reason) => ({ status: "failed", reason });
        const cases = [
            ["+15005550001", failed("invalid_number")],
            ["+15005550009", failed("invalid_number")],
            ["+15005550004", failed("unsubscribed")],
            ["+15005550429", { status: "sent" }],
            ["+15005550503", { status: "sent" }],
            // Twilio may have accepted it, and a phone would show a repetition.
            ["+15005550000", { status: "unknown" }],
            ["05005550100", failed("malformed_number")],
        ];
        // Refusals count while other numbers are accepted.
        yield* send("+15005550100");
        for (const [number, expected] of cases)
            assert.deepInclude(yield* summaryOf(number), expected, number);
        assert.deepInclude((yield* awaitEvent(events, "device.token_invalid")).payload, { platform: "sms" });
        assert.lengthOf(of(events, "device.token_invalid"), 2);
        assert.strictEqual(attemptedNumbers.filter((number) => number === "+15005550000").length, 1);
        assert.deepInclude(yield* summaryOf("+15005550100", { body: "x".repeat(1_601) }), failed("too_long"));
        assert.deepInclude(yield* summaryOf("+15005550100", { title: "", body: "" }), failed("empty"));
    }).pipe(Effect.provide(installed())));
    it.live("waits while the token or the sender is wrong", () => Effect.gen(function* () {
        const { attemptedNumbers } = yield* FakeTwilio;
        yield* publishRequest({ notification_type: "sms", recipients: [{ sms: "+15005550100" }] });
        const events = yield* recordEvents;
        yield* expectNothingFor("300 millis", () => events);
        assert.isAtMost(attemptedNumbers.length, 3);
    }).pipe(Effect.provide(installed({ from: "+15005559999" }))));
});
describe("Twilio's status callbacks", () => {
    const reportOf = (status, sid, more = {}) => ({
        MessageSid: sid,
        MessageStatus: status,
        AccountSid: "AC",
        ...more,
    });
    it.live("are published once, and a forged one is refused", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeTwilio;
        yield* send("+15005550100");
        const [sms] = fake.accepted;
        const url = sms?.parameters["StatusCallback"] ?? "";
        const path = url.slice(publicUrl.length);
        const { body, headers } = fake.callback(url, reportOf("delivered", sms?.sid ?? ""));
        assert.strictEqual(yield* call(path, { headers, body: body.replace("delivered", "failed") }), 401);
        assert.strictEqual(yield* call(path.replace(/.$/, "0"), { headers, body }), 401);
        assert.strictEqual(yield* call(path, { headers: { ...headers, "x-twilio-signature": "" }, body }), 401);
        assert.strictEqual(yield* call(path, fake.callback(url, reportOf("sent", sms?.sid ?? ""))), 204);
        for (const _ of [1, 2])
            assert.strictEqual(yield* call(path, { headers, body }), 204);
        const { payload } = yield* awaitEvent(events, "notification.delivered");
        assert.deepNestedInclude(payload, { "deliveries[0].channel": "sms", "deliveries[0].provider": "twilio" });
        yield* expectNothingFor("100 millis", () => of(events, "notification.delivered").slice(1));
    }).pipe(Effect.provide(installed())));
    it.live("report an SMS that the carrier did not deliver", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeTwilio;
        yield* send("+15005550100");
        const [sms] = fake.accepted;
        const url = sms?.parameters["StatusCallback"] ?? "";
        const report = reportOf("undelivered", sms?.sid ?? "", { ErrorCode: "30005" });
        assert.strictEqual(yield* call(url.slice(publicUrl.length), fake.callback(url, report)), 204);
        const { payload } = yield* awaitEvent(events, "notification.bounced");
        assert.deepNestedInclude(payload, { "deliveries[0].reason": "unknown_number" });
    }).pipe(Effect.provide(installed())));
});
describe("an SMS by an HTTP endpoint", () => {
    it.live("is posted with its id, and ends as the responses say", () => Effect.gen(function* () {
        const requests = [];
        const url = yield* FakeHttpServer.listenHttp((request) => {
            requests.push(request);
            const { to } = JSON.parse(request.body.toString());
            if (String(to).endsWith("1"))
                return { status: 422, body: JSON.stringify({ error: "invalid_number" }) };
            if (String(to).endsWith("2"))
                return { status: 422, body: JSON.stringify({ error: "unsubscribed" }) };
            return { status: 202, body: JSON.stringify({ id: 42 }) };
        });
        const provider = SmsHttp.layer({ url: `${url}/sms`, token: Redacted.make("t"), from: "Example" });
        yield* Effect.gen(function* () {
            const state = yield* send("+15005550100");
            const id = state?.deliveries[0]?.delivery_id;
            assert.deepInclude(state?.deliveries[0]?.summary, { provider: "sms_http", status: "sent", provider_id: "42" });
            const [request] = requests;
            assert.deepInclude(request?.headers, { authorization: "Bearer t", "idempotency-key": id });
            assert.deepStrictEqual(JSON.parse(request?.body.toString() ?? ""), {
                id,
                to: "+15005550100",
                text: "Hello\nWorld",
                from: "Example",
            });
            assert.deepInclude(yield* summaryOf("+15005550101"), { status: "failed", reason: "invalid_number" });
            assert.deepInclude(yield* summaryOf("+15005550102"), { status: "failed", reason: "unsubscribed" });
        }).pipe(Effect.provide(service(provider).pipe(Layer.provideMerge(ports))));
    }));
});
