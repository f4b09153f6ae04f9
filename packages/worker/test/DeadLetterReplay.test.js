import { event, work } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { TransientError } from "@armoricore/domain/Errors";
import { sign, signatureHeader } from "@armoricore/domain/Signature";
import { DeadLetters, EventSigningKeys, Ledger, onWork, Worker, WorkSchemas } from "@armoricore/worker";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Layer, Redacted, Schema } from "effect";
import { TestClock } from "effect/testing";
import { advanceClock, bytes, uploadEventId, recordMessages, json, deadLetters, ports, publish, playableMessage, flushFibers, uploadedEvent, } from "./support/WorkerFixtures.ts";
import { handler } from "./support/MediaHandler.ts";
describe("the worker loop", () => {
    it.effect("an edited dead letter is validated before it is published", () => Effect.gen(function* () {
        const messages = yield* recordMessages;
        yield* Worker.run("media", [handler(() => Effect.succeed([playableMessage]))]);
        yield* publish(uploadedEvent({ payload: {} }));
        yield* flushFibers;
        const dead = yield* DeadLetters;
        const [letter] = yield* deadLetters;
        assert.isDefined(letter);
        const refused = yield* Effect.flip(dead.replay(letter.id, bytes(uploadedEvent({ payload: { media_id: "m" } }))));
        assert(refused._tag === "InvalidEvent");
        assert.strictEqual(refused.path, "payload.user_id");
        assert.lengthOf(yield* deadLetters, 1);
        yield* dead.replay(letter.id, bytes(uploadedEvent()));
        yield* flushFibers;
        assert.isEmpty(yield* deadLetters);
        assert.lengthOf(messages, 1);
    }).pipe(Effect.provide(ports)));
    /** A second consumer of the same type. */
    const both = (work, ran) => Effect.forEach(["media", "ai"], (service) => Worker.run(service, [
        handler(() => Effect.andThen(service === "media" ? work : Effect.succeed([]), Effect.sync(() => void ran.push(service))).pipe(Effect.as([]))),
    ]));
    it.effect("an invalid event becomes one dead letter for all consumers of its type", () => 
    // regression: each consumer wrote its own dead letter
    Effect.gen(function* () {
        const ran = [];
        yield* both(Effect.succeed([]), ran);
        yield* publish(uploadedEvent({ payload: {} }));
        yield* publish(uploadedEvent({ source: "somebody" }));
        yield* flushFibers;
        assert.deepStrictEqual((yield* deadLetters).map(({ record }) => record.path), ["payload.media_id", "source"]);
        // No consumer has handled the event, so all of them receive the replay.
        const dead = yield* DeadLetters;
        const [, letter] = yield* deadLetters;
        assert.isDefined(letter);
        yield* dead.replay(letter.id);
        yield* flushFibers;
        assert.lengthOf(yield* deadLetters, 2);
        const [, again] = yield* deadLetters;
        assert.isDefined(again);
        yield* dead.replay(again.id, bytes(uploadedEvent()));
        yield* flushFibers;
        assert.sameMembers(ran, ["media", "ai"]);
    }).pipe(Effect.provide(ports)));
    it.effect("a replay needs no signature of the publisher, edited or not, however old the event is", () => 
    // regression: the old signature was judged again, and the event died a second time
    Effect.gen(function* () {
        const keys = new Map([["k", Redacted.make("secret-1")]]);
        const ran = [];
        yield* Worker.run("media", [
            handler(({ message }) => Effect.as(Effect.sync(() => void ran.push(json(message.body).payload.file_path)), [])),
        ]).pipe(Effect.provideService(EventSigningKeys, keys));
        const bus = yield* EventBus;
        const send = (body, headers) => bus.publish({ address: event("media.uploaded"), id: crypto.randomUUID(), body, headers });
        const dead = yield* DeadLetters;
        const signedAt = (body, seconds) => ({
            [signatureHeader]: sign("k", Redacted.make("secret-1"), seconds, body),
        });
        const old = bytes(uploadedEvent({ event_id: crypto.randomUUID() }));
        yield* send(old, signedAt(old, 9_000));
        const invalid = bytes(uploadedEvent({ event_id: crypto.randomUUID(), payload: {} }));
        yield* send(invalid, signedAt(invalid, 0));
        yield* flushFibers;
        const [unsigned, incomplete] = yield* deadLetters;
        assert.deepStrictEqual([unsigned?.record.reason, incomplete?.record.reason], ["bad_signature", "invalid"]);
        yield* TestClock.adjust("1 hour");
        yield* dead.replay(unsigned?.id ?? "");
        const corrected = { media_id: "m", user_id: "u", file_path: "s3://media/b.mp4" };
        yield* dead.replay(incomplete?.id ?? "", bytes(uploadedEvent({ event_id: crypto.randomUUID(), payload: corrected })));
        yield* flushFibers;
        assert.deepStrictEqual(ran, ["s3://media/a.mp4", "s3://media/b.mp4"]);
        assert.isEmpty(yield* deadLetters);
        // The header alone authorises nothing.
        yield* send(bytes(uploadedEvent({ event_id: crypto.randomUUID() })), { "Armoricore-Replay-Of": "1" });
        yield* flushFibers;
        assert.lengthOf(ran, 2);
        assert.strictEqual((yield* deadLetters)[0]?.record.reason, "bad_signature");
    }).pipe(Effect.provide(ports)));
    it.effect("an edited dead letter stays until its replay was handled", () => Effect.gen(function* () {
        let healthy = false;
        yield* Worker.run("media", [
            handler(() => healthy
                ? Effect.succeed([])
                : Effect.fail(new TransientError({ dependency: "storage", code: "unavailable", message: "away" }))),
        ]);
        yield* publish(uploadedEvent({ payload: {} }));
        yield* flushFibers;
        const dead = yield* DeadLetters;
        const [original] = yield* deadLetters;
        assert.isDefined(original);
        const edited = (file) => bytes(uploadedEvent({ payload: { media_id: "m", user_id: "u", file_path: `s3://media/${file}` } }));
        yield* dead.replay(original.id, edited("none.mp4"));
        for (let seconds = 0; seconds < 40; seconds++)
            yield* advanceClock("1 second");
        assert.deepStrictEqual((yield* deadLetters).map(({ id, record }) => [id === original.id, record.reason]), [
            [true, "invalid"],
            [false, "unavailable"],
        ]);
        healthy = true;
        yield* dead.replay(original.id, edited("b.mp4"));
        yield* flushFibers;
        assert.deepStrictEqual((yield* deadLetters).map(({ record }) => record.reason), ["unavailable"]);
    }).pipe(Effect.provide(ports)));
    const Job = Schema.Struct({ index: Schema.Int });
    const jobLayer = Layer.fresh(DeadLetters.layer).pipe(Layer.provide(Layer.succeed(WorkSchemas.WorkSchemas, WorkSchemas.of({ media: { job: Job } }))), Layer.provideMerge(ports));
    it.effect("an edited dead letter of work must be a work message of its kind, and keeps its type", () => Effect.gen(function* () {
        const handled = [];
        yield* Worker.run("media", [
            onWork("job", Job, {
                handle: ({ index }) => Effect.as(Effect.sync(() => void handled.push(index)), []),
                onFailure: () => [],
            }),
        ]);
        const bus = yield* EventBus;
        const body = bytes({ cause_id: uploadEventId, payload: { index: "x" } });
        yield* bus.publish({ address: work("media", "job"), id: "work-1", body });
        yield* flushFibers;
        const dead = yield* DeadLetters;
        const [letter] = yield* dead.list({ type: "work.job", limit: 10 });
        assert.isDefined(letter);
        assert.strictEqual(letter.record.message, 'payload.index must be a number, not "x"');
        assert.strictEqual(letter.record.event_id, uploadEventId);
        // regression: an event was accepted as the body, the original was deleted, and the work could never run
        const event = yield* Effect.flip(dead.replay(letter.id, bytes(uploadedEvent())));
        assert.match(event.message, new RegExp(`^cause_id is missing; .* of the event ${uploadEventId}: to change `));
        const wrong = bytes({ cause_id: uploadEventId, payload: {} });
        assert.match((yield* Effect.flip(dead.replay(letter.id, wrong))).message, /^payload\.index is missing; /);
        yield* dead.replay(letter.id, bytes({ cause_id: uploadEventId, payload: { index: 7 } }));
        yield* flushFibers;
        assert.deepStrictEqual(handled, [7]);
        assert.isEmpty(yield* deadLetters);
    }).pipe(Effect.provide(jobLayer)));
    it.effect("a dead letter without a readable type has the type of its subject", () => Effect.gen(function* () {
        yield* Worker.run("media", [handler(() => Effect.succeed([]))]);
        const bus = yield* EventBus;
        yield* bus.publish({ address: event("media.uploaded"), id: "x", body: new TextEncoder().encode("{") });
        yield* flushFibers;
        assert.strictEqual((yield* deadLetters)[0]?.record.event_type, "media.uploaded");
    }).pipe(Effect.provide(ports)));
    it.effect("a message with very large headers becomes a dead letter", () => 
    // regression: NATS rejected the dead letter, because headers count towards its message limit
    Effect.gen(function* () {
        yield* Worker.run("media", [handler(() => Effect.succeed([]))]);
        const bus = yield* EventBus;
        const headers = {
            big: "x".repeat(25_000),
            traceparent: "y".repeat(20_000),
            "Armoricore-Replay-Of": "z".repeat(9_000),
        };
        yield* bus.publish({ address: event("media.uploaded"), id: "i".repeat(100_000), body: bytes({}), headers });
        yield* flushFibers;
        const [letter] = yield* bus.deadLetters.list({ limit: 10 });
        assert.deepStrictEqual(Object.keys(letter?.headers ?? {}), ["traceparent", "Armoricore-Letter"]);
        assert.isBelow(JSON.stringify(letter?.headers).length, 30_000);
        assert.lengthOf(yield* deadLetters, 1);
    }).pipe(Effect.provide(ports)));
    it.effect("an event with a forged replay header is handled", () => 
    // regression: the event was acknowledged without being handled
    Effect.gen(function* () {
        const ran = [];
        yield* both(Effect.succeed([]), ran);
        const bus = yield* EventBus;
        for (const [id, header] of [
            ["a", "Armoricore-Replay-For"],
            ["b", "armoricore-replay-for"],
        ]) {
            yield* bus.publish({
                address: event("media.uploaded"),
                id,
                body: bytes(uploadedEvent({ event_id: crypto.randomUUID() })),
                headers: { [header]: "nobody", "Armoricore-Replay-Of": "1" },
            });
        }
        yield* flushFibers;
        assert.sameMembers(ran, ["media", "ai", "media", "ai"]);
        assert.isEmpty(yield* deadLetters);
    }).pipe(Effect.provide(ports)));
    it.effect("a dead letter of one consumer is replayed for that consumer only", () => Effect.gen(function* () {
        const ran = [];
        let healthy = false;
        const away = new TransientError({ dependency: "storage", code: "unavailable", message: "away" });
        yield* both(Effect.suspend(() => (healthy ? Effect.succeed([]) : Effect.fail(away))), ran);
        yield* publish(uploadedEvent());
        for (let seconds = 0; seconds < 40; seconds++)
            yield* advanceClock("1 second");
        const [letter] = yield* deadLetters;
        assert.strictEqual(letter?.record.service, "media");
        assert.deepStrictEqual(ran, ["ai"]);
        healthy = true;
        const ledger = yield* Ledger;
        // The other consumer would have handled it again.
        yield* ledger.remove(`ai-media-uploaded.${uploadEventId}`);
        assert.isDefined(letter);
        yield* (yield* DeadLetters).replay(letter.id);
        yield* advanceClock("1 second");
        assert.deepStrictEqual(ran, ["ai", "media"]);
    }).pipe(Effect.provide(ports)));
});
