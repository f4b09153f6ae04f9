import { FakePushService } from "@armoricore/testing/fakes/FakePushService";
import { eventually, expectNothingFor } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer, Redacted } from "effect";
import { ProviderRegistry } from "../../../src/provider/Provider.ts";
import { blockedReason, isPublic } from "../../../src/providers/PublicAddress.ts";
import * as WebPush from "../../../src/providers/push/WebPush.ts";
import { deliveryState, awaitFinal, awaitEvent, recordEvents, ports, publishRequest, service, } from "../../support/NotifyHarness.ts";
const subject = "mailto:ops@example.com";
const routesWith = (guarded) => Layer.unwrap(Effect.map(FakePushService, ({ ca, vapid }) => WebPush.layer({
    publicKey: vapid.publicKey,
    privateKey: Redacted.make(vapid.privateKey),
    subject,
    ...(guarded ? {} : { privateEndpoints: { ca } }),
})));
const installedWith = (guarded) => service(routesWith(guarded)).pipe(Layer.provideMerge(Layer.merge(ports, FakePushService.layer)));
const installed = installedWith(false);
const outcome = Effect.fnUntraced(function* (kind) {
    const fake = yield* FakePushService;
    const state = yield* awaitFinal(yield* publishRequest({ recipients: [{ web_push: fake.subscribe(kind) }] }));
    const [planned] = state?.deliveries ?? [];
    // A single push that ends with its first call has no document of its own.
    const attempts = (yield* deliveryState(planned?.delivery_id ?? ""))?.attempt ?? 1;
    return { status: state?.status, reason: planned?.summary?.reason, attempts };
});
describe("Web Push", () => {
    it.live("the browser decrypts the push that was sent", () => Effect.gen(function* () {
        const fake = yield* FakePushService;
        yield* awaitFinal(yield* publishRequest({ recipients: [{ web_push: fake.subscribe() }], collapse_key: "chat", data: { a: [1] } }));
        const [received] = fake.received;
        assert.deepStrictEqual(received?.payload, { title: "Hello", body: "World", data: { a: [1] }, tag: "chat" });
        assert.deepInclude(received, { urgency: "high", topic: Buffer.from("chat").toString("base64url") });
        assert.isAbove(Number(received?.ttl), 0);
    }).pipe(Effect.provide(installed)));
    it.live("pushes wait while the push service rejects the VAPID key of every subscription", () => Effect.gen(function* () {
        const fake = yield* FakePushService;
        const events = yield* recordEvents;
        fake.override = { status: 403, body: JSON.stringify({ reason: "BadJwtToken" }) };
        const recipients = Array.from({ length: 30 }, () => ({ web_push: fake.subscribe() }));
        const id = yield* publishRequest({ recipients });
        yield* eventually(() => fake.requestedEndpoints.length >= 10);
        yield* expectNothingFor("500 millis", () => events);
        fake.override = undefined;
        const state = yield* awaitFinal(id);
        assert.isTrue(state?.deliveries.every(({ summary }) => summary?.status === "sent"));
    }).pipe(Effect.provide(installed)));
    it.effect("VAPID_SUBJECT must be a contact on the public internet", () => Effect.gen(function* () {
        const fake = yield* FakePushService;
        const build = (contact) => {
            const { privateKey, publicKey } = fake.vapid;
            const layer = WebPush.layer({ publicKey, privateKey: Redacted.make(privateKey), subject: contact });
            return Effect.scoped(Layer.build(Layer.provide(layer, ProviderRegistry.layer())));
        };
        for (const contact of [
            "mailto:x@localhost",
            "https://localhost/contact",
            "mailto:ops@printer.local",
            "ops@example.com",
        ]) {
            const fault = yield* Effect.flip(build(contact));
            assert.strictEqual(fault.setting, "VAPID_SUBJECT");
        }
        for (const contact of ["mailto:ops@example.com", "https://example.co.uk/contact"])
            yield* build(contact);
    }).pipe(Effect.provide(FakePushService.layer)));
    it.live("collapse keys with the same start do not replace each other", () => Effect.gen(function* () {
        // regression: keys were cut to the topic's length
        const fake = yield* FakePushService;
        const web_push = fake.subscribe();
        const topicOf = Effect.fnUntraced(function* (collapse_key) {
            yield* awaitFinal(yield* publishRequest({ recipients: [{ web_push }], collapse_key }));
            return fake.received.at(-1)?.topic ?? "";
        });
        const one = yield* topicOf("conversation-of-the-harbour-1");
        assert.notStrictEqual(yield* topicOf("conversation-of-the-harbour-2"), one);
        assert.strictEqual(yield* topicOf("conversation-of-the-harbour-1"), one);
        assert.match(one, /^[A-Za-z0-9_-]{1,32}$/);
    }).pipe(Effect.provide(installed)));
    it.live("every class of response has its documented result", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        assert.deepStrictEqual(yield* outcome("gone"), { status: "failed", reason: "unsubscribed", attempts: 1 });
        assert.deepStrictEqual(yield* outcome("missing"), { status: "failed", reason: "unsubscribed", attempts: 1 });
        assert.deepStrictEqual(yield* outcome("large"), { status: "failed", reason: "payload_too_large", attempts: 1 });
        assert.deepStrictEqual(yield* outcome("bad"), { status: "failed", reason: "refused", attempts: 1 });
        assert.deepStrictEqual(yield* outcome("busy"), { status: "sent", reason: undefined, attempts: 2 });
        assert.deepStrictEqual(yield* outcome("throttled"), { status: "sent", reason: undefined, attempts: 2 });
        assert.deepStrictEqual(yield* outcome("cut"), { status: "sent", reason: undefined, attempts: 2 });
        const invalid = yield* awaitEvent(events, "device.token_invalid");
        assert.deepInclude(invalid.payload, { platform: "web", reason: "unsubscribed" });
        const fake = yield* FakePushService;
        const topics = fake.received.slice(-2).map(({ topic }) => topic);
        assert.strictEqual(topics[0], topics[1]);
    }).pipe(Effect.provide(installed)));
    it.live("never calls an endpoint that leads to a private network", () => Effect.gen(function* () {
        const fake = yield* FakePushService;
        const { keys } = fake.subscribe();
        const endpoints = [
            fake.subscribe().endpoint,
            "https://127.0.0.1/x",
            "https://[::1]/x",
            "https://[::ffff:127.0.0.1]/x",
            "https://169.254.169.254/latest/meta-data",
            "https://10.0.0.1/x",
            "https://2130706433/x",
            "http://updates.push.services.mozilla.com/x",
            "https://user:secret@example.com/x",
        ];
        const state = yield* awaitFinal(yield* publishRequest({ recipients: endpoints.map((endpoint) => ({ web_push: { endpoint, keys } })) }));
        assert.deepStrictEqual(state?.deliveries.map(({ summary }) => summary?.reason), endpoints.map(() => "endpoint_refused"));
        assert.isEmpty(fake.requestedEndpoints);
    }).pipe(Effect.provide(installedWith(true))));
    it("recognises private addresses in every notation", () => {
        for (const address of [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fc00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
        ]) {
            assert.isFalse(isPublic(address), address);
        }
        for (const address of ["8.8.8.8", "142.250.1.1", "2a00:1450:4001:80b::200e"])
            assert.isTrue(isPublic(address), address);
        assert.isUndefined(blockedReason(new URL("https://fcm.googleapis.com/fcm/send/abc")));
    });
    it.effect("keys that do not belong together are a configuration error at start", () => Effect.gen(function* () {
        for (const [publicKey, setting] of [
            ["short", "VAPID_PUBLIC_KEY"],
            [Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 1)]).toString("base64url"), "VAPID_PRIVATE_KEY"],
        ]) {
            const layer = WebPush.layer({ publicKey, privateKey: Redacted.make("AAAA"), subject });
            const fault = yield* Effect.flip(Effect.scoped(Layer.build(layer.pipe(Layer.provide(ProviderRegistry.layer())))));
            assert.strictEqual(fault.setting, setting);
        }
    }));
});
