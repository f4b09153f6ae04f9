import { InvalidEvent, TransientError } from "@armoricore/domain/Errors";
import { sign, signatureHeader } from "@armoricore/domain/Signature";
import * as UploadToken from "@armoricore/domain/UploadToken";
import { DeadLetters, emit, EventSigningKeys, on, UploadTokens, Worker } from "@armoricore/worker";
import { assert, describe, it } from "@effect/vitest";
import { Clock, Effect, Metric, Redacted, Schedule } from "effect";
import * as Metrics from "../src/WorkerMetrics.ts";
import { advanceClock, bytes, recordMessages, deadLetters, ports, publish, playableMessage, flushFibers, uploadedEvent, } from "./support/WorkerFixtures.ts";
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
const id = (index) => `0190a1b2-c3d4-7e5f-8a9b-${String(index).padStart(12, "0")}`;
describe("a poison event", () => {
    it.effect("1 poison event among 1,000 valid ones costs only its own attempts, and blocks no other event", () => Effect.gen(function* () {
        let bad = 0;
        let good = 0;
        let lastGood = 0;
        yield* Worker.run("media", [
            on("media.uploaded", {
                concurrency: 2,
                handle: ({ event_id }) => Effect.gen(function* () {
                    if (event_id === id(1)) {
                        bad++;
                        return yield* new TransientError({ dependency: "x", code: "poison", message: "always" });
                    }
                    good++;
                    lastGood = yield* Clock.currentTimeMillis;
                    return [];
                }),
                onFailure: () => [],
            }),
        ]);
        yield* Effect.forEach(Array.from({ length: 1_001 }, (_, index) => id(index + 1)), (event_id) => publish(uploadedEvent({ event_id }), event_id), { discard: true });
        // The clock has not moved: all valid events are handled while the poison event waits for its second attempt.
        yield* flushFibers.pipe(Effect.repeat({ until: () => good === 1_000, schedule: Schedule.recurs(200) }));
        assert.deepStrictEqual([good, bad, lastGood], [1_000, 1, 0]);
        for (let seconds = 0; seconds < 30; seconds++)
            yield* advanceClock("1 second");
        assert.deepStrictEqual([good, bad], [1_000, 5]);
        assert.deepStrictEqual((yield* deadLetters).map(({ record }) => [record.event_id, record.reason]), [[id(1), "poison"]]);
    }).pipe(Effect.provide(ports)), 60_000);
});
describe("the dead letter metric", () => {
    /** All counters of the process: tests compare before and after. */
    const counted = Effect.map(Metric.snapshot, (metrics) => metrics.reduce((sum, metric) => metric.id === Metrics.deadLettered.id && metric.type === "Counter" ? sum + Number(metric.state.count) : sum, 0));
    const upload = (service, handle) => Worker.run(service, [on("media.uploaded", { handle, onFailure: () => [] })]);
    // regression: each of an event's consumers counted the fault that they share.
    it.effect("counts an invalid event once, however many consumers it has", () => Effect.gen(function* () {
        const before = yield* counted;
        yield* upload("media", () => Effect.succeed([]));
        yield* upload("ai", () => Effect.succeed([]));
        yield* publish(uploadedEvent({ timestamp: 7 }));
        yield* flushFibers;
        assert.lengthOf(yield* deadLetters, 1);
        assert.strictEqual((yield* counted) - before, 1);
    }).pipe(Effect.provide(ports)));
    it.effect("counts a fault that only one of two consumers has once", () => Effect.gen(function* () {
        const before = yield* counted;
        yield* upload("media", () => new TransientError({ dependency: "x", code: "poison", message: "always" }));
        yield* upload("ai", () => Effect.succeed([]));
        yield* publish(uploadedEvent());
        for (let seconds = 0; seconds < 30; seconds++)
            yield* advanceClock("1 second");
        assert.strictEqual((yield* counted) - before, 1);
    }).pipe(Effect.provide(ports)));
});
describe("invalid input", () => {
    const raw = (body, headers = {}) => Effect.flatMap(EventBus, (bus) => bus.publish({ address: event("media.uploaded"), id: crypto.randomUUID(), body, headers }));
    const deep = `{"a":`.repeat(5_000) + "1" + "}".repeat(5_000);
    const text = (value) => new TextEncoder().encode(value);
    it.effect("every kind becomes a dead letter with its reason and field, and the next event is handled", () => Effect.gen(function* () {
        const messages = yield* recordMessages;
        yield* Worker.run("media", [
            on("media.uploaded", { handle: () => Effect.succeed([playableMessage]), onFailure: () => [] }),
        ]);
        yield* raw(bytes(uploadedEvent({ filler: "x".repeat(1_000_001) })));
        yield* raw(new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]));
        yield* raw(text(deep));
        yield* raw(text(""));
        yield* raw(text("[1, 2"));
        yield* raw(bytes(null));
        yield* raw(bytes(uploadedEvent({ payload: [] })));
        yield* raw(bytes(uploadedEvent({ payload: { media_id: { no: "id" }, user_id: "u", file_path: "s3://media/a" } })));
        yield* raw(bytes(uploadedEvent({ timestamp: 7 })));
        yield* raw(bytes(uploadedEvent({ source: "nobody" })));
        yield* raw(bytes(uploadedEvent({ event_type: "media.eaten" })));
        yield* publish(uploadedEvent());
        yield* flushFibers;
        assert.deepStrictEqual((yield* deadLetters).map(({ record }) => [record.reason, record.path]), [
            ["too_large", ""],
            ["undecodable", ""],
            ["undecodable", ""],
            ["undecodable", ""],
            ["undecodable", ""],
            ["invalid", ""],
            ["invalid", "payload"],
            ["invalid", "payload.media_id"],
            ["invalid", "timestamp"],
            ["unauthorized", "source"],
            ["unknown_type", "event_type"],
        ]);
        assert.lengthOf(messages, 1);
    }).pipe(Effect.provide(ports)));
    it.effect("with signing keys, an unsigned, forged or old signature is rejected; a current one is accepted", () => Effect.gen(function* () {
        const messages = yield* recordMessages;
        yield* Worker.run("media", [
            on("media.uploaded", { handle: () => Effect.succeed([playableMessage]), onFailure: () => [] }),
        ]);
        const body = bytes(uploadedEvent());
        const signed = (secret, at) => ({
            [signatureHeader]: sign("k1", Redacted.make(secret), at, body),
        });
        yield* raw(body);
        yield* raw(body, signed("a guess", 0));
        yield* raw(body, signed("secret-1", 301));
        yield* raw(body, signed("secret-1", 300));
        yield* flushFibers;
        assert.deepStrictEqual((yield* deadLetters).map(({ record }) => record.reason), ["bad_signature", "bad_signature", "bad_signature"]);
        assert.lengthOf(messages, 1);
    }).pipe(Effect.provideService(EventSigningKeys, new Map([["k1", Redacted.make("secret-1")]])), Effect.provide(ports)));
});
describe("a message that its handler finds to be unauthorised", () => {
    const refusal = new InvalidEvent({
        reason: "unauthorized",
        path: "payload.media_id",
        message: "it belongs to another",
    });
    for (const idempotent of [false, true]) {
        it.effect(`becomes a dead letter with the field, without a retry or a failure event (idempotent: ${idempotent})`, () => Effect.gen(function* () {
            let runs = 0;
            let isPermitted = false;
            const messages = yield* recordMessages;
            yield* Worker.run("media", [
                on("media.uploaded", {
                    idempotent,
                    handle: () => Effect.suspend(() => {
                        runs++;
                        return isPermitted ? Effect.succeed([playableMessage]) : Effect.fail(refusal);
                    }),
                    onFailure: ({ payload: { media_id, user_id } }, error, failed_at) => [
                        emit("media.failed", { media_id, user_id, error, failed_at }),
                    ],
                }),
            ]);
            yield* publish(uploadedEvent());
            yield* advanceClock("10 minutes");
            assert.strictEqual(runs, 1);
            assert.isEmpty(messages);
            const [letter, ...others] = yield* deadLetters;
            assert.isEmpty(others);
            assert.isDefined(letter);
            const { attempts, message, path, reason, shared } = letter.record;
            assert.deepStrictEqual([reason, path, message, attempts, shared], ["unauthorized", "payload.media_id", "it belongs to another", 1, undefined]);
            // A replay asks the handler again.
            isPermitted = true;
            yield* (yield* DeadLetters).replay(letter.id);
            yield* advanceClock("1 second");
            assert.strictEqual(runs, 2);
            assert.lengthOf(messages, 1);
            assert.isEmpty(yield* deadLetters);
        }).pipe(Effect.provide(ports)));
    }
});
describe("the upload token of media.uploaded", () => {
    const key = UploadToken.deriveKey(Redacted.make("secret-1"));
    const upload = uploadedEvent().payload;
    const send = (change, envelope = {}) => publish(uploadedEvent({ event_id: crypto.randomUUID(), payload: { ...upload, ...change }, ...envelope }));
    /** Publishes events without a token, with a valid one, and with tokens of others; returns the rejected fields. */
    const outcome = (required) => Effect.gen(function* () {
        const messages = yield* recordMessages;
        yield* Worker.run("media", [
            on("media.uploaded", { handle: () => Effect.succeed([playableMessage]), onFailure: () => [] }),
        ]).pipe(Effect.provideService(UploadTokens, { key, required }));
        yield* send({});
        yield* send({ upload_token: null });
        yield* send({ upload_token: UploadToken.issue(key, upload) });
        yield* send({ user_id: "another", upload_token: UploadToken.issue(key, upload) });
        yield* send({ upload_token: "v1.00" });
        yield* flushFibers;
        const letters = yield* deadLetters;
        return {
            handled: messages.length,
            rejected: letters.map(({ record }) => [record.reason, record.path, /missing/.test(record.message)]),
        };
    }).pipe(Effect.provide(ports));
    const missing = ["unauthorized", "payload.upload_token", true];
    const invalid = ["unauthorized", "payload.upload_token", false];
    it.effect("may be absent, and must be valid if it is present", () => Effect.map(outcome(false), (result) => assert.deepStrictEqual(result, { handled: 3, rejected: [invalid, invalid] })));
    it.effect("must be present where it is required", () => Effect.map(outcome(true), (result) => assert.deepStrictEqual(result, { handled: 1, rejected: [missing, missing, invalid, invalid] })));
    it.effect("is not asked for again when an operator replays the event", () => Effect.gen(function* () {
        const messages = yield* recordMessages;
        yield* Worker.run("media", [
            on("media.uploaded", { handle: () => Effect.succeed([playableMessage]), onFailure: () => [] }),
        ]).pipe(Effect.provideService(UploadTokens, { key, required: true }));
        yield* send({});
        yield* flushFibers;
        const [letter] = yield* deadLetters;
        yield* (yield* DeadLetters).replay(letter?.id ?? "");
        yield* flushFibers;
        assert.lengthOf(messages, 1);
        assert.isEmpty(yield* deadLetters);
    }).pipe(Effect.provide(ports)));
});
