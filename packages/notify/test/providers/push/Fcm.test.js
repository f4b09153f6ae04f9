import { eventually, expectNothingFor } from "@armoricore/testing/Eventually";
import { FakeFcm } from "@armoricore/testing/fakes/FakeFcm";
import { DeadLetters } from "@armoricore/worker";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Layer, Redacted } from "effect";
import { ProviderRegistry } from "../../../src/provider/Provider.ts";
import { CircuitOptions } from "../../../src/provider/ProviderCircuit.ts";
import * as Fcm from "../../../src/providers/push/Fcm.ts";
import { deliveryState, awaitFinal, awaitEvent, until, recordEvents, notificationState, policy, ports, publishRequest, service, } from "../../support/NotifyHarness.ts";
const routes = Layer.unwrap(Effect.map(FakeFcm, ({ baseUrl, serviceAccount }) => Fcm.layer({ baseUrl, serviceAccount })));
const installed = service(routes).pipe(Layer.provideMerge(Layer.merge(ports, FakeFcm.layer)));
/** The final status of a push to this token. */
const outcome = Effect.fnUntraced(function* (token) {
    const id = yield* publishRequest({ recipients: [{ fcm_token: token }] });
    const state = yield* awaitFinal(id);
    const [planned] = state?.deliveries ?? [];
    // A single push that ends with its first call has no document of its own.
    const attempts = (yield* deliveryState(planned?.delivery_id ?? ""))?.attempt ?? 1;
    return { status: state?.status, reason: planned?.summary?.reason, attempts };
});
describe("FCM", () => {
    it.live("a push arrives once, its result is published, and its state can be read", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeFcm;
        const id = yield* publishRequest({ recipients: [{ fcm_token: "good-token" }], data: { a: 1, b: "two" } });
        const sent = yield* awaitEvent(events, "notification.sent");
        assert.lengthOf(fake.sent, 1);
        assert.deepNestedInclude(fake.sent[0]?.message ?? {}, {
            "notification.title": "Hello",
            "notification.body": "World",
            "data.a": "1",
            "data.b": "two",
        });
        assert.strictEqual(sent.request_id, "r-1");
        assert.deepNestedInclude(sent.payload, {
            user_id: "u",
            notification_id: id,
            "deliveries[0].channel": "fcm",
            "deliveries[0].status": "sent",
            "deliveries[0].provider": "fcm",
        });
        const state = yield* awaitFinal(id);
        assert.strictEqual(state?.status, "sent");
        assert.match(state?.deliveries[0]?.summary?.provider_id ?? "", /^projects\/fake-project\/messages\//);
    }).pipe(Effect.provide(installed)));
    it.live("every class of response has its documented result", () => Effect.gen(function* () {
        yield* outcome("good-token");
        assert.deepStrictEqual(yield* outcome("dead-token"), { status: "failed", reason: "unregistered", attempts: 1 });
        assert.deepStrictEqual(yield* outcome("invalid-token"), {
            status: "failed",
            reason: "invalid_argument",
            attempts: 1,
        });
        assert.deepStrictEqual(yield* outcome("field-token"), { status: "failed", reason: "bad_request", attempts: 1 });
        assert.deepStrictEqual(yield* outcome("internal-token"), { status: "sent", reason: undefined, attempts: 2 });
        assert.deepStrictEqual(yield* outcome("cut-token-1"), { status: "sent", reason: undefined, attempts: 2 });
    }).pipe(Effect.provide(installed)));
    it.live("waits for Retry-After", () => Effect.gen(function* () {
        for (const [token, seconds] of [
            ["throttled-token", 1],
            ["busy-token", 2],
        ]) {
            const start = Date.now();
            assert.deepStrictEqual(yield* outcome(token), { status: "sent", reason: undefined, attempts: 2 });
            assert.isAtLeast(Date.now() - start, seconds * 1000);
        }
    }).pipe(Effect.provide(installed)));
    it.live("a Retry-After beyond any date is capped", () => Effect.gen(function* () {
        // regression: the push waited for ever and its state did not decode
        const fake = yield* FakeFcm;
        for (const [index, after] of ["9".repeat(400), "99999999999", "Fri, 31 Dec 9999 23:59:59 GMT"].entries()) {
            fake.override = (token) => fake.requestedTokens.filter((one) => one === token).length === 1
                ? { status: 429, code: "QUOTA_EXCEEDED", fcm: true, headers: { "retry-after": after } }
                : undefined;
            for (const recipients of [
                [{ fcm_token: `good-token-${index}` }],
                [{ fcm_token: `good-token-a${index}` }, { fcm_token: `good-token-b${index}` }],
            ]) {
                assert.strictEqual((yield* awaitFinal(yield* publishRequest({ recipients })))?.status, "sent");
            }
        }
    }).pipe(Effect.provide(service(routes).pipe(Layer.provide(policy({ maxProviderWait: Duration.millis(500) })), Layer.provideMerge(Layer.merge(ports, FakeFcm.layer))))));
    it.live("a push that expires during Retry-After is published as expired at its expiry", () => Effect.gen(function* () {
        for (const recipients of [
            [{ fcm_token: "quota-token" }],
            [{ fcm_token: "quota-token-2" }, { fcm_token: "good-token" }],
        ]) {
            const expires_at = new Date(Date.now() + 1_500).toISOString();
            // FCM would have it wait for a minute.
            const state = yield* awaitFinal(yield* publishRequest({ recipients, expires_at }), 10);
            assert.strictEqual(state?.deliveries[0]?.summary?.status, "expired");
        }
    }).pipe(Effect.provide(installed)));
    it.live("publishes device.token_invalid without the token itself", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        yield* publishRequest({ recipients: [{ fcm_token: "dead-token" }, { fcm_token: "good-token" }] });
        const invalid = yield* awaitEvent(events, "device.token_invalid");
        assert.deepInclude(invalid.payload, { user_id: "u", platform: "fcm", reason: "unregistered" });
        assert.match(String(invalid.payload["token_hash"]), /^[0-9a-f]{64}$/);
        assert.notInclude(JSON.stringify(events), "dead-token");
        const sent = yield* awaitEvent(events, "notification.sent");
        assert.deepStrictEqual(sent.payload["deliveries"].map(({ status }) => status), ["failed", "sent"]);
        const fake = yield* FakeFcm;
        assert.deepStrictEqual(fake.requestedTokens.toSorted(), ["dead-token", "good-token"]);
    }).pipe(Effect.provide(installed)));
    it.live("exhausted retries publish one failure and a dead letter; a replay adds the good result", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeFcm;
        fake.override = (token) => token === "later-token"
            ? { status: 429, code: "QUOTA_EXCEEDED", fcm: true, headers: { "retry-after": "0" } }
            : undefined;
        const id = yield* publishRequest({ recipients: [{ fcm_token: "later-token" }] });
        const failed = yield* awaitEvent(events, "notification.failed");
        assert.deepInclude(failed.payload["error"], { code: "throttled" });
        const dead = yield* DeadLetters;
        const [letter] = yield* eventually(dead.list({ limit: 10 }), (letters) => letters.length === 1);
        assert.lengthOf(fake.requestedTokens, 5);
        fake.override = () => undefined;
        yield* dead.replay(letter?.id ?? "");
        yield* awaitEvent(events, "notification.sent");
        assert.strictEqual((yield* notificationState(id))?.status, "sent");
        assert.lengthOf(fake.sent, 1);
    }).pipe(Effect.provide(installed)));
    it.live("shares one access token, and renews it when FCM rejects it", () => Effect.gen(function* () {
        const fake = yield* FakeFcm;
        const recipients = Array.from({ length: 20 }, (_, index) => ({ fcm_token: `good-token-${index}` }));
        yield* awaitFinal(yield* publishRequest({ recipients }));
        assert.strictEqual(fake.accessTokensIssued(), 1);
        fake.expireTokens();
        yield* awaitFinal(yield* publishRequest({ recipients: recipients.map(({ fcm_token }) => ({ fcm_token: `${fcm_token}-b` })) }));
        assert.strictEqual(fake.accessTokensIssued(), 2);
        assert.lengthOf(fake.sent, 40);
    }).pipe(Effect.provide(installed)));
    it.live("pushes wait while every token answers SENDER_ID_MISMATCH; no attempt is used up and no push is lost", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeFcm;
        let wrong = true;
        fake.override = () => (wrong ? { status: 403, code: "SENDER_ID_MISMATCH", fcm: true } : undefined);
        const ids = yield* Effect.forEach([1, 2, 3, 4, 5, 6, 7, 8], (index) => publishRequest({ recipients: [{ fcm_token: `ok-token-${index}` }] }));
        yield* eventually(() => fake.requestedTokens.length, (count) => count >= 10);
        assert.isEmpty(events);
        wrong = false;
        for (const id of ids)
            assert.strictEqual((yield* awaitFinal(id))?.status, "sent");
        assert.isEmpty(yield* (yield* DeadLetters).list({ limit: 10 }));
    }).pipe(Effect.provide(installed)));
    const appleIsRefused = (token) => token.startsWith("apple-") ? { status: 401, code: "THIRD_PARTY_AUTH_ERROR", fcm: true } : undefined;
    it.live("a wrong APNs key inside Firebase does not pause pushes to Android", () => Effect.gen(function* () {
        // regression: it paused the whole provider
        const fake = yield* FakeFcm;
        fake.override = appleIsRefused;
        const apple = yield* publishRequest({
            recipients: [{ fcm_token: "apple-token" }, { fcm_token: "android-token-0" }],
        });
        yield* eventually(() => fake.requestedTokens.length, (count) => count === 2);
        for (const index of [1, 2, 3]) {
            assert.deepInclude(yield* outcome(`android-token-${index}`), { status: "sent", attempts: 1 });
        }
        assert.strictEqual((yield* notificationState(apple))?.status, "pending");
    }).pipe(Effect.provide(service(routes, {
        rules: Layer.effect(CircuitOptions, 
        // Longer than the test waits.
        Effect.map(CircuitOptions, (usual) => ({ ...usual, misconfigurationDelay: Duration.minutes(5) }))),
    }).pipe(Layer.provideMerge(Layer.merge(ports, FakeFcm.layer))))));
    it.live("pushes to Apple devices wait until the APNs key inside Firebase works", () => Effect.gen(function* () {
        const events = yield* recordEvents;
        const fake = yield* FakeFcm;
        fake.override = appleIsRefused;
        const id = yield* publishRequest({ recipients: [{ fcm_token: "apple-token" }] });
        // More calls than the retry policy has attempts.
        yield* eventually(() => fake.requestedTokens.length, (count) => count >= 7);
        assert.isEmpty(events);
        fake.override = () => undefined;
        assert.strictEqual((yield* awaitFinal(id))?.status, "sent");
        assert.isEmpty(yield* (yield* DeadLetters).list({ limit: 10 }));
    }).pipe(Effect.provide(installed)));
    it.live("a token of another project does not pause the provider", () => Effect.gen(function* () {
        const fake = yield* FakeFcm;
        assert.deepInclude(yield* outcome("good-token-1"), { status: "sent", attempts: 1 });
        assert.deepStrictEqual(yield* outcome("sender-token"), {
            status: "failed",
            reason: "sender_id_mismatch",
            attempts: 1,
        });
        assert.deepInclude(yield* outcome("good-token-2"), { status: "sent", attempts: 1 });
        const mixed = yield* awaitFinal(yield* publishRequest({ recipients: [{ fcm_token: "sender-token-2" }, { fcm_token: "good-token-3" }] }));
        assert.deepStrictEqual(mixed?.deliveries.map(({ summary }) => [summary?.status, summary?.reason]), [
            ["failed", "sender_id_mismatch"],
            ["sent", undefined],
        ]);
        assert.lengthOf(fake.requestedTokens, 5);
    }).pipe(Effect.provide(installed)));
    it.live("many tokens of another project in a row pause the provider", () => Effect.gen(function* () {
        const fake = yield* FakeFcm;
        yield* outcome("good-token-1");
        fake.override = () => ({ status: 403, code: "SENDER_ID_MISMATCH", fcm: true });
        const recipients = Array.from({ length: 60 }, (_, index) => ({ fcm_token: `token-number-${index}` }));
        const id = yield* publishRequest({ recipients });
        yield* eventually(() => fake.requestedTokens.length, (count) => count >= 63);
        fake.override = () => undefined;
        const state = yield* awaitFinal(id);
        assert.strictEqual(state?.status, "sent");
        // Deliveries whose refusal counted before the pause are sent again.
        yield* until(notificationState(id), (found) => (found?.deliveries ?? []).every(({ summary }) => summary?.status === "sent"));
    }).pipe(Effect.provide(installed)));
    it.live("an outage opens the circuit: it uses up no attempts, and every push is sent afterwards", () => Effect.gen(function* () {
        const fake = yield* FakeFcm;
        fake.unavailable = true;
        const ids = yield* Effect.forEach(Array.from({ length: 20 }), (_, index) => publishRequest({ recipients: [{ fcm_token: `good-token-${index}` }] }));
        // Far longer than five attempts take.
        yield* expectNothingFor("2 seconds", () => fake.sent);
        const during = fake.requestedTokens.length;
        fake.unavailable = false;
        for (const id of ids)
            assert.strictEqual((yield* awaitFinal(id))?.status, "sent");
        assert.isBelow(during, 60);
        assert.lengthOf(fake.sent, 20);
        assert.isEmpty(yield* (yield* DeadLetters).list({ limit: 10 }));
    }).pipe(Effect.provide(installed)));
    it.live("sends again after a lost response with the same tag", () => Effect.gen(function* () {
        const fake = yield* FakeFcm;
        yield* awaitFinal(yield* publishRequest({ recipients: [{ fcm_token: "cut-token" }] }));
        const tags = fake.sent.map(({ message }) => JSON.stringify(message["android"]));
        assert.lengthOf(tags, 2);
        assert.strictEqual(tags[0], tags[1]);
        assert.include(tags[0], '"tag"');
    }).pipe(Effect.provide(installed)));
    it.live("accepts a service account with line breaks that are escaped twice", () => Effect.gen(function* () {
        // regression: its private key was rejected
        const { serviceAccount } = yield* FakeFcm;
        const escaped = Redacted.make(Redacted.value(serviceAccount).replaceAll("\\n", "\\\\n"));
        assert.notStrictEqual(Redacted.value(escaped), Redacted.value(serviceAccount));
        yield* Effect.scoped(Layer.build(Fcm.layer({ serviceAccount: escaped }).pipe(Layer.provide(ProviderRegistry.layer()))));
    }).pipe(Effect.provide(FakeFcm.layer)));
    it.effect("a service account that does not parse is a configuration error at start that does not show the key", () => Effect.gen(function* () {
        for (const text of [
            "no json",
            "{}",
            JSON.stringify({ project_id: "p", client_email: "e", private_key: "secret-key", token_uri: "u" }),
        ]) {
            const fault = yield* Effect.flip(Effect.scoped(Layer.build(Fcm.layer({ serviceAccount: Redacted.make(text) }).pipe(Layer.provide(ProviderRegistry.layer())))));
            assert.strictEqual(fault._tag, "ConfigurationError");
            assert.strictEqual(fault.setting, "FCM_SERVICE_ACCOUNT");
            assert.notInclude(fault.message, "secret-key");
        }
    }));
});
