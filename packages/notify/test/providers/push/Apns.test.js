import { eventually } from "@armoricore/testing/Eventually";
import { FakeApns, reasons } from "@armoricore/testing/fakes/FakeApns";
import { DeadLetters } from "@armoricore/worker";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Layer, Redacted } from "effect";
import { ProviderRegistry } from "../../../src/provider/Provider.ts";
import * as Apns from "../../../src/providers/push/Apns.ts";
import { deliveryState, awaitFinal, awaitEvent, recordEvents, ports, publishRequest, service, } from "../../support/NotifyHarness.ts";
const routes = Layer.unwrap(Effect.map(FakeApns, ({ baseUrl, ca, key, keyId, teamId, topic }) => Apns.layer({ baseUrl, ca, key, keyId, teamId, topic, minSigningInterval: Duration.zero })));
const installed = service(routes).pipe(Layer.provideMerge(Layer.merge(ports, FakeApns.layer)));
const token = (index) => `ee${index.toString(16).padStart(62, "0")}`;
const outcome = Effect.fnUntraced(function* (apns_token) {
    const state = yield* awaitFinal(yield* publishRequest({ recipients: [{ apns_token }] }));
    const [planned] = state?.deliveries ?? [];
    // A single push that ends with its first call has no document of its own.
    const attempts = (yield* deliveryState(planned?.delivery_id ?? ""))?.attempt ?? 1;
    return { status: state?.status, reason: planned?.summary?.reason, attempts };
});
const configuration = new Set([
    "BadTopic",
    "DeviceTokenNotForTopic",
    "MissingTopic",
    "TopicDisallowed",
    "BadCertificate",
    "BadCertificateEnvironment",
    "Forbidden",
    "InvalidProviderToken",
    "MissingProviderToken",
    "ExpiredProviderToken",
]);
const dead = new Set(["BadDeviceToken", "ExpiredToken", "Unregistered"]);
const snake = (name) => name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase();
// Object.keys cannot know that the table has no other keys.
const all = Object.keys(reasons);
describe("APNs", () => {
    it.live("a push arrives with its headers over a verified connection", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeApns;
        const expires = "2099-01-01T00:00:00Z";
        yield* publishRequest({
            recipients: [{ apns_token: token(1) }],
            collapse_key: "chat-7",
            expires_at: expires,
            data: { a: 1 },
        });
        const sent = yield* awaitEvent(events, "notification.sent");
        const [pushed] = fake.sent;
        assert.deepInclude(pushed?.headers, {
            "apns-topic": fake.topic,
            "apns-push-type": "alert",
            "apns-priority": "10",
            "apns-collapse-id": "chat-7",
            "apns-expiration": String(Date.parse(expires) / 1000),
        });
        assert.deepStrictEqual(pushed?.payload, {
            a: 1,
            aps: { alert: { title: "Hello", body: "World" }, sound: "default" },
        });
        assert.deepNestedInclude(sent.payload, {
            "deliveries[0].provider": "apns",
            "deliveries[0].provider_id": pushed?.id,
        });
    }).pipe(Effect.provide(installed)));
    it.live("every reason has its documented result", () => Effect.gen(function* () {
        const fake = yield* FakeApns;
        yield* outcome(token(1));
        for (const reason of all.filter((one) => !configuration.has(one) && reasons[one].status !== 429)) {
            const once = "times" in reasons[reason];
            const expected = !once
                ? { status: "failed", reason: snake(reason), attempts: 1 }
                : { status: "sent", reason: undefined, attempts: 2 };
            assert.deepStrictEqual(yield* outcome(fake.tokenFor(reason)), expected, reason);
        }
    }).pipe(Effect.provide(installed)));
    it.live("a throttled push is sent after a wait", () => Effect.gen(function* () {
        const fake = yield* FakeApns;
        const start = Date.now();
        assert.deepInclude(yield* outcome(fake.tokenFor("TooManyRequests")), { status: "sent", attempts: 2 });
        assert.isAtLeast(Date.now() - start, 5_000);
    }).pipe(Effect.provide(installed)));
    it.live("publishes device.token_invalid for dead tokens, with Apple's timestamp", () => Effect.gen(function* () {
        const fake = yield* FakeApns;
        yield* outcome(token(1));
        const events = yield* recordEvents;
        for (const reason of dead)
            yield* outcome(fake.tokenFor(reason));
        const reported = events.filter(({ event_type }) => event_type === "device.token_invalid");
        assert.deepStrictEqual(reported.map(({ payload }) => [payload["reason"], payload["platform"], payload["invalid_since"]]), [
            ["bad_device_token", "ios", undefined],
            ["expired_token", "ios", "2023-11-14T22:13:20.000Z"],
            ["unregistered", "ios", "2023-11-14T22:13:20.000Z"],
        ]);
    }).pipe(Effect.provide(installed)));
    for (const reason of ["DeviceTokenNotForTopic", "BadDeviceToken", "InvalidProviderToken"]) {
        it.live(`${reason} uses up no attempt while no token is accepted`, () => Effect.gen(function* () {
            const events = yield* recordEvents;
            const fake = yield* FakeApns;
            yield* publishRequest({ recipients: [{ apns_token: fake.tokenFor(reason) }] });
            // More probes than there are tries.
            yield* eventually(() => fake.requestedTokens.length, (count) => count >= 6);
            assert.isEmpty(events);
            assert.isEmpty(yield* (yield* DeadLetters).list({ limit: 10 }));
        }).pipe(Effect.provide(installed)));
    }
    it.live("a token of another app pauses neither the provider nor its own notification", () => Effect.gen(function* () {
        const fake = yield* FakeApns;
        yield* outcome(token(1));
        const foreign = fake.tokenFor("DeviceTokenNotForTopic");
        const state = yield* awaitFinal(yield* publishRequest({ recipients: [{ apns_token: foreign }, { apns_token: token(2) }] }));
        assert.deepStrictEqual(state?.deliveries.map(({ summary }) => [summary?.status, summary?.reason]), [
            ["failed", "device_token_not_for_topic"],
            ["sent", undefined],
        ]);
        assert.deepInclude(yield* outcome(token(3)), { status: "sent", attempts: 1 });
    }).pipe(Effect.provide(installed)));
    it.live("opens one stream until Apple accepts the token, then many on one connection", () => Effect.gen(function* () {
        const fake = yield* FakeApns;
        const recipients = Array.from({ length: 200 }, (_, index) => ({ apns_token: token(index) }));
        yield* awaitFinal(yield* publishRequest({ recipients }));
        assert.lengthOf(fake.sent, 200);
        assert.strictEqual(fake.maxStreamsBeforeTrust(), 1);
        assert.strictEqual(fake.sessionCount(), 1);
        assert.strictEqual(fake.providerTokens.size, 1);
    }).pipe(Effect.provide(installed)));
    it.live("signs again once after the provider token expired", () => Effect.gen(function* () {
        const fake = yield* FakeApns;
        assert.deepInclude(yield* outcome(token(1)), { status: "sent", attempts: 1 });
        // The signing time in the token has a resolution of one second.
        yield* Effect.sleep("1100 millis");
        fake.expireTokens();
        assert.deepInclude(yield* outcome(token(2)), { status: "sent", attempts: 1 });
        assert.strictEqual(fake.providerTokens.size, 2);
    }).pipe(Effect.provide(installed)));
    it.live("delivers every push exactly once after GOAWAY", () => Effect.gen(function* () {
        const fake = yield* FakeApns;
        const recipients = Array.from({ length: 600 }, (_, index) => ({ apns_token: token(index) }));
        const id = yield* publishRequest({ recipients });
        for (const share of [100, 300]) {
            yield* eventually(() => fake.sent.length, (sent) => sent >= share);
            fake.goAway();
        }
        const state = yield* awaitFinal(id);
        assert.strictEqual(state?.status, "sent");
        assert.lengthOf(fake.sent, 600);
        assert.strictEqual(new Set(fake.sent.map((one) => one.token)).size, 600);
        assert.isAtLeast(fake.sessionCount(), 2);
    }).pipe(Effect.provide(installed)));
    it.live("sends again after a lost response with the same apns-id and collapse id", () => Effect.gen(function* () {
        const fake = yield* FakeApns;
        const lost = "cc".padEnd(64, "0");
        assert.deepInclude(yield* outcome(lost), { status: "sent", attempts: 2 });
        const [a, b, ...more] = fake.sent.filter((one) => one.token === lost);
        assert.isEmpty(more);
        assert.strictEqual(a?.id, b?.id);
        assert.strictEqual(a?.collapseId, b?.collapseId);
    }).pipe(Effect.provide(installed)));
    it.live("a collapse key that no header can contain is replaced by its digest", () => Effect.gen(function* () {
        // regression: the push was lost or replaced another key's
        const fake = yield* FakeApns;
        const keys = ["Größe", "✓ seen", "✗ seen", " padded", "plain key"];
        for (const [index, collapse_key] of keys.entries()) {
            const state = yield* awaitFinal(yield* publishRequest({ recipients: [{ apns_token: token(index) }], collapse_key }));
            assert.strictEqual(state?.status, "sent", collapse_key);
        }
        yield* awaitFinal(yield* publishRequest({ recipients: [{ apns_token: token(9) }], collapse_key: "✓ seen" }));
        const ids = fake.sent.map(({ collapseId }) => collapseId);
        assert.strictEqual(new Set(ids.slice(0, keys.length)).size, keys.length);
        assert.strictEqual(ids.at(-1), ids[1]);
        assert.strictEqual(ids[4], "plain key");
    }).pipe(Effect.provide(installed)));
    it.live("respects the stream limit of the server", () => Effect.gen(function* () {
        const fake = yield* FakeApns;
        yield* awaitFinal(yield* publishRequest({
            recipients: Array.from({ length: 100 }, (_, index) => ({ apns_token: token(index) })),
        }));
        assert.lengthOf(fake.sent, 100);
    }).pipe(Effect.provide(service(routes).pipe(Layer.provideMerge(Layer.merge(ports, FakeApns.layerWith({ maxStreams: 5 })))))));
    it.effect("a key that does not parse is a configuration error at start", () => Effect.gen(function* () {
        const layer = Apns.layer({ key: Redacted.make("no key"), keyId: "k", teamId: "t", topic: "a" });
        const fault = yield* Effect.flip(Effect.scoped(Layer.build(layer.pipe(Layer.provide(ProviderRegistry.layer())))));
        assert.strictEqual(fault.setting, "APNS_KEY");
    }));
});
