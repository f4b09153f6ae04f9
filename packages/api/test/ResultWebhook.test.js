import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as Signature from "@armoricore/domain/Signature";
import * as FakeHttpServer from "@armoricore/testing/fakes/FakeHttpServer";
import * as Testing from "@armoricore/testing/Testing";
import { DeadLetters, CircuitBreakers } from "@armoricore/worker";
import { eventually } from "@armoricore/testing/Eventually";
import { assert, describe, it } from "@effect/vitest";
import { Clock, Context, Duration, Effect, Layer, Logger, Redacted } from "effect";
import * as ResultWebhook from "../src/ResultWebhook.ts";
const secret = Redacted.make("a secret of this test");
/** An HTTP server whose `respond` returns the response to the n-th call. */
const receiver = Effect.fnUntraced(function* (respond) {
    const calls = [];
    const url = yield* FakeHttpServer.listenHttp((request) => {
        calls.push(request);
        return respond(calls.length);
    });
    return { calls, url: `${url}/hook` };
});
const body = (event_id, more = {}) => new TextEncoder().encode(` ${JSON.stringify({
    event_type: "media.failed",
    event_id,
    timestamp: "2026-01-31T12:00:00Z",
    source: "media",
    payload: {
        media_id: "m",
        user_id: "u",
        error: { code: "broken", message: "broken" },
        failed_at: "2026-01-31T12:00:00Z",
    },
    extra: { unknown: true },
    ...more,
})}`);
const publish = (bytes, id) => Effect.flatMap(EventBus, (bus) => bus.publish({ address: event("media.failed"), id, body: bytes }));
const fast = { base: Duration.millis(5), cap: Duration.millis(5), maxAttempts: 3 };
const ports = Layer.merge(Testing.layer, Logger.layer([]));
describe("ResultWebhook", () => {
    it.live("POSTs the event byte for byte, signed, with its id and type", () => Effect.gen(function* () {
        const { calls, url } = yield* receiver(() => ({ status: 204 }));
        yield* ResultWebhook.run({ url, secret }).pipe(Effect.provide(ResultWebhook.dependencies));
        const id = crypto.randomUUID();
        yield* publish(body(id), id);
        yield* eventually(() => calls.length === 1);
        const [call] = calls;
        assert.deepStrictEqual(new Uint8Array(call?.body ?? []), body(id));
        assert.strictEqual(call?.headers["armoricore-event-id"], id);
        assert.strictEqual(call?.headers["armoricore-event-type"], "media.failed");
        assert.strictEqual(call?.headers["content-type"], "application/json");
        yield* Signature.verify(new Map([[ResultWebhook.keyId, secret]]), String(call?.headers["armoricore-signature"]), body(id), yield* Clock.currentTimeMillis);
    }).pipe(Effect.provide(ports)));
    it.live("retries until the receiver accepts the event, and not before Retry-After", () => Effect.gen(function* () {
        const started = yield* Clock.currentTimeMillis;
        const { calls, url } = yield* receiver((call) => call === 1 ? { status: 500 } : call === 2 ? { status: 429, headers: { "retry-after": "1" } } : { status: 200 });
        yield* ResultWebhook.run({ url, secret, retry: fast }).pipe(Effect.provide(ResultWebhook.dependencies));
        const id = crypto.randomUUID();
        yield* publish(body(id), id);
        yield* eventually(() => calls.length === 3);
        assert.isAtLeast((yield* Clock.currentTimeMillis) - started, 1_000);
        assert.strictEqual(new Set(calls.map(({ headers }) => headers["armoricore-event-id"])).size, 1);
        assert.isEmpty(yield* (yield* DeadLetters).list({ limit: 10 }));
    }).pipe(Effect.provide(ports)));
    it.live("an event that is never accepted becomes a dead letter; redirects are not followed; a replay sends it again", () => Effect.gen(function* () {
        let healthy = false;
        const { calls, url } = yield* receiver(() => healthy ? { status: 200 } : { status: 302, headers: { location: "/elsewhere" } });
        yield* ResultWebhook.run({ url, secret, retry: fast }).pipe(Effect.provide(ResultWebhook.dependencies));
        const id = crypto.randomUUID();
        yield* publish(body(id), id);
        const deadLetters = yield* DeadLetters;
        yield* eventually(Effect.orDie(deadLetters.list({ limit: 10 })), ({ length }) => length === 1);
        assert.isTrue(calls.every((call) => call.path === "/hook"));
        const [deadLetter] = yield* deadLetters.list({ service: "webhook", reason: "status_302", limit: 10 });
        assert.strictEqual(deadLetter?.record.attempts, 3);
        assert.include(deadLetter?.record.message, "redirect");
        healthy = true;
        yield* deadLetters.replay(deadLetter?.id ?? "");
        yield* eventually(() => calls.length === 4);
        assert.isEmpty(yield* deadLetters.list({ limit: 10 }));
    }).pipe(Effect.provide(ports)));
    it.live("an unreachable receiver opens the circuit, and events wait without using attempts", () => Effect.gen(function* () {
        const dependencies = yield* Layer.build(ResultWebhook.dependencies);
        yield* ResultWebhook.run({ url: "http://127.0.0.1:9/hook", secret, retry: { ...fast, maxAttempts: 3 } }).pipe(Effect.provideContext(dependencies));
        for (let index = 0; index < 10; index++) {
            const id = crypto.randomUUID();
            yield* publish(body(id), id);
        }
        const { state } = Context.get(dependencies, CircuitBreakers);
        yield* eventually(state("webhook"), (circuit) => circuit === "open");
        assert.isEmpty(yield* (yield* DeadLetters).list({ limit: 10 }));
    }).pipe(Effect.provide(ports)));
});
