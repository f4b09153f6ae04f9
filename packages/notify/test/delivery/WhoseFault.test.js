/** Refusals that are our own fault cost no recipient anything, and refusals of one recipient delay no other. */
import { eventually, expectNothingFor } from "@armoricore/testing/Eventually";
import { FakeApns } from "@armoricore/testing/fakes/FakeApns";
import { FakeFcm } from "@armoricore/testing/fakes/FakeFcm";
import { FakeSmtp } from "@armoricore/testing/fakes/FakeSmtp";
import { DeadLetters } from "@armoricore/worker";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Layer, Metric } from "effect";
import * as Metrics from "../../src/NotifyMetrics.ts";
import * as Smtp from "../../src/providers/email/Smtp.ts";
import * as Apns from "../../src/providers/push/Apns.ts";
import * as Fcm from "../../src/providers/push/Fcm.ts";
import { CircuitOptions } from "../../src/provider/ProviderCircuit.ts";
import { Attachments } from "../../src/request/Attachments.ts";
import { hashOf } from "../../src/request/Target.ts";
import { Suppressions } from "../../src/unsubscribe/Suppressions.ts";
import { awaitFinal, deliveryState, fastMailRetry, fastTimings, notificationState, policy, ports, publishRequest, recordEvents, service, until, } from "../support/NotifyHarness.ts";
const apns = Layer.unwrap(Effect.map(FakeApns, ({ baseUrl, ca, key, keyId, teamId, topic }) => Apns.layer({ baseUrl, ca, key, keyId, teamId, topic, minSigningInterval: Duration.zero })));
const fcm = Layer.unwrap(Effect.map(FakeFcm, ({ baseUrl, serviceAccount }) => Fcm.layer({ baseUrl, serviceAccount })));
const smtp = Layer.unwrap(Effect.map(FakeSmtp, ({ url }) => Smtp.layer({ url, from: "no-reply@example.com" }))).pipe(Layer.provide(Attachments.layer({ buckets: [] })));
const withApns = service(apns).pipe(Layer.provideMerge(Layer.merge(ports, FakeApns.layer)));
const withFcm = service(fcm).pipe(Layer.provideMerge(Layer.merge(ports, FakeFcm.layer)));
/** 101 mails take longer than 10 of the short pauses on a busy machine; then each would count as a lone recipient. */
const longHold = Layer.effect(CircuitOptions, Effect.map(CircuitOptions, (usual) => ({ ...usual, maxHolds: 1_000 }))).pipe(Layer.provideMerge(fastTimings));
const withSmtp = service(smtp, { rules: longHold }).pipe(Layer.provide(policy(fastMailRetry)), Layer.provideMerge(Layer.merge(ports, FakeSmtp.layer)));
const apnsToken = (index) => `ee${index.toString(16).padStart(62, "0")}`;
const apnsRecipients = Array.from({ length: 200 }, (_, index) => ({ apns_token: apnsToken(index) }));
const isPaused = (provider) => Effect.map(Metric.value(Metric.withAttributes(Metrics.providerPaused, { provider })), ({ value }) => value === 1);
const allSent = (id) => until(notificationState(id), (state) => state?.deliveries.every(({ summary }) => summary?.status === "sent") === true);
const mail = (email) => publishRequest({ notification_type: "email", recipients: [{ email }] });
describe("refusals that are our own fault", () => {
    it.live("200 tokens of the other APNs environment: none is dropped, the provider pauses, and all are sent later", () => Effect.gen(function* () {
        // regression: each of them was reported as invalid
        const events = yield* recordEvents;
        const fake = yield* FakeApns;
        fake.otherEnvironment = true;
        const id = yield* publishRequest({ recipients: apnsRecipients });
        yield* eventually(isPaused("apns"), (paused) => paused);
        yield* expectNothingFor("1 second", () => events);
        fake.otherEnvironment = false;
        yield* allSent(id);
        assert.deepStrictEqual([...new Set(events.map(({ event_type }) => event_type))], ["notification.sent"]);
        yield* eventually(isPaused("apns"), (paused) => !paused);
        assert.isEmpty(yield* (yield* DeadLetters).list({ limit: 10 }));
    }).pipe(Effect.provide(withApns)));
    it.live("each token that is reported as invalid before the provider pauses is reported as restored", () => Effect.gen(function* () {
        const fake = yield* FakeApns;
        yield* awaitFinal(yield* publishRequest({ recipients: [{ apns_token: apnsToken(999) }] }));
        const events = yield* recordEvents;
        fake.otherEnvironment = true;
        const ids = yield* Effect.forEach(apnsRecipients.slice(0, 40), (recipient) => publishRequest({ recipients: [recipient] }));
        yield* eventually(isPaused("apns"), (paused) => paused);
        const hashesOf = (type) => events.flatMap(({ event_type, payload }) => (event_type === type ? [payload["token_hash"]] : [])).toSorted();
        yield* eventually(() => hashesOf("device.token_restored").length === hashesOf("device.token_invalid").length);
        assert.isBelow(hashesOf("device.token_invalid").length, 10);
        assert.deepStrictEqual(hashesOf("device.token_restored"), hashesOf("device.token_invalid"));
        fake.otherEnvironment = false;
        for (const id of ids)
            yield* allSent(id);
    }).pipe(Effect.provide(withApns)));
    it.live("one invalid token among 199 valid ones: exactly that one is dropped", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeApns;
        const bad = fake.tokenFor("BadDeviceToken");
        const recipients = apnsRecipients.map((recipient, index) => (index === 77 ? { apns_token: bad } : recipient));
        const state = yield* awaitFinal(yield* publishRequest({ recipients }));
        const failed = state?.deliveries.flatMap(({ summary }, index) => (summary?.status === "sent" ? [] : [index]));
        assert.deepStrictEqual(failed, [77]);
        const dropped = yield* eventually(() => events.filter(({ event_type }) => event_type === "device.token_invalid"), (found) => found.length > 0);
        assert.deepStrictEqual(dropped.map(({ payload }) => payload["token_hash"]), [hashOf({ channel: "apns", token: bad })]);
        assert.isFalse(yield* isPaused("apns"));
    }).pipe(Effect.provide(withApns)));
    it.live("80 mails at a server that blocks this machine: none fails, the provider pauses, and all are sent later", () => Effect.gen(function* () {
        // regression: digits of the address of this machine were read as the status code 5.1.1
        const events = yield* recordEvents;
        const fake = yield* FakeSmtp;
        fake.rejectAll = "550 5.7.1 Service unavailable; Client host [195.5.1.1] blocked using zen.example.org";
        const addresses = Array.from({ length: 80 }, (_, index) => `reader${index}@example.org`);
        const ids = yield* Effect.forEach(addresses, mail);
        yield* eventually(isPaused("smtp"), (paused) => paused);
        yield* expectNothingFor("1 second", () => events);
        const suppressions = yield* Suppressions;
        for (const address of addresses)
            assert.isUndefined(yield* suppressions.reasonFor({ channel: "email", address }));
        fake.rejectAll = undefined;
        for (const id of ids)
            yield* allSent(id);
        assert.lengthOf(fake.received, 80);
    }).pipe(Effect.provide(withSmtp)));
    it.live("addresses that are suppressed before the provider pauses are no longer suppressed afterwards", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeSmtp;
        fake.rejectAll = "550 5.1.1 User unknown";
        const addresses = Array.from({ length: 101 }, (_, index) => `reader${index}@example.org`);
        const ids = yield* Effect.forEach(addresses, mail);
        yield* eventually(isPaused("smtp"), (paused) => paused);
        const suppressions = yield* Suppressions;
        const suppressed = Effect.map(Effect.forEach(addresses, (address) => suppressions.reasonFor({ channel: "email", address })), (reasons) => reasons.filter((reason) => reason !== undefined).length);
        yield* until(suppressed, (count) => count === 0);
        const failed = () => events.filter(({ event_type }) => event_type === "notification.failed").length;
        assert.isAtMost(failed(), 10);
        fake.rejectAll = undefined;
        for (const id of ids)
            yield* allSent(id);
    }).pipe(Effect.provide(withSmtp)));
});
describe("refusals of one recipient", () => {
    it.live("a lone token of another Firebase project delays no other push, and is not reported as invalid", () => Effect.gen(function* () {
        // regression: after a start it held all pushes for a minute
        const events = yield* recordEvents;
        const fake = yield* FakeFcm;
        const foreign = yield* publishRequest({ recipients: [{ fcm_token: "sender-token" }] });
        yield* eventually(() => fake.requestedTokens.length > 0);
        const startedAt = Date.now();
        const good = yield* awaitFinal(yield* publishRequest({ recipients: [{ fcm_token: "good-token" }] }));
        assert.strictEqual(good?.status, "sent");
        assert.isBelow(Date.now() - startedAt, 1_000);
        const state = yield* awaitFinal(foreign);
        assert.strictEqual(state?.deliveries[0]?.summary?.reason, "sender_id_mismatch");
        assert.isFalse(yield* isPaused("fcm"));
        assert.isFalse(events.some(({ event_type }) => event_type === "device.token_invalid"));
    }).pipe(Effect.provide(withFcm)));
    it.live("a lone invalid token fails in the end and stays in use", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeApns;
        const state = yield* awaitFinal(yield* publishRequest({ recipients: [{ apns_token: fake.tokenFor("BadDeviceToken") }] }));
        assert.strictEqual(state?.deliveries[0]?.summary?.reason, "bad_device_token");
        yield* expectNothingFor("200 millis", () => events.filter(({ event_type }) => event_type === "device.token_invalid"));
    }).pipe(Effect.provide(withApns)));
    it.live("a recipient that the server does not relay to is deferred, and others are sent", () => Effect.gen(function* () {
        const foreign = yield* mail("foreign@example.org");
        assert.strictEqual((yield* awaitFinal(yield* mail("anna@example.org")))?.status, "sent");
        const [planned] = (yield* notificationState(foreign))?.deliveries ?? [];
        yield* until(deliveryState(planned?.delivery_id ?? ""), (state) => state?.status === "deferred");
    }).pipe(Effect.provide(withSmtp)));
    it.live("a disabled mailbox fails its mail and receives the next one", () => Effect.gen(function* () {
        // regression: the address was suppressed for ever
        const first = yield* awaitFinal(yield* mail("disabled@example.org"));
        assert.strictEqual(first?.deliveries[0]?.summary?.reason, "mailbox_disabled");
        assert.strictEqual((yield* awaitFinal(yield* mail("disabled@example.org")))?.status, "sent");
    }).pipe(Effect.provide(withSmtp)));
});
