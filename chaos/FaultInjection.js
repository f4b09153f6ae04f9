/**
 * What is done to a worker from within: it dies at one of the crash points, with a probability, or it is one of the
 * mutants that the check must catch. Both wrap the ports, so that the loop itself is the real one.
 */
import { EventBus } from "@armoricore/bus/EventBus";
import { Ledger } from "@armoricore/worker/ledger/Ledger";
import { Duration, Effect, Layer, Semaphore } from "effect";
export const crashPoints = ["before-effect", "after-effect", "after-decided", "after-result", "before-ack"];
export const mutants = ["ack-before-effect", "random-result-id", "no-claim", "prefetch"];
const crashProbability = Number(process.env["CHAOS_CRASH"] ?? 0);
const onlyCrashPoint = process.env["CHAOS_CRASH_AT"] ?? "";
export const mutant = process.env["CHAOS_MUTANT"] ?? "";
/** Dies here, sometimes: as kill -9 does, without a last word. */
export const maybeCrash = (point) => Effect.sync(() => {
    if ((onlyCrashPoint === "" || onlyCrashPoint === point) && Math.random() < crashProbability)
        process.kill(process.pid, "SIGKILL");
});
/** The bus with crash points behind the result's acknowledgement and before the message's own. */
export const bus = Layer.effect(EventBus, Effect.map(EventBus, (real) => EventBus.of({
    ...real,
    publish: (message) => {
        // The mutant's result has another id each time.
        const id = mutant === "random-result-id" ? crypto.randomUUID() : message.id;
        const text = new TextDecoder().decode(message.body);
        const body = mutant === "random-result-id"
            ? new TextEncoder().encode(text.replace(/"event_id":"[^"]+"/, `"event_id":"${id}"`))
            : message.body;
        return Effect.tap(real.publish({ ...message, id, body }), () => maybeCrash("after-result"));
    },
    consume: (options, handle) => Effect.gen(function* () {
        const slots = yield* Semaphore.make(options.concurrency);
        const context = yield* Effect.context();
        const fork = Effect.runForkWith(context);
        return yield* real.consume(mutant === "prefetch" ? { ...options, concurrency: options.concurrency * 8 } : options, (delivery) => {
            process.stdout.write(`got ${delivery.id}\n`);
            const handled = Effect.tap(slots.withPermits(1)(handle(delivery)), () => maybeCrash("before-ack"));
            if (mutant !== "ack-before-effect")
                return handled;
            fork(Effect.delay(handled, "300 millis"));
            return Effect.succeed({ _tag: "Ack" });
        });
    }),
})));
let lastFencingToken = 0;
/** The ledger with a crash point behind the decision; or none at all. */
export const ledger = Layer.effect(Ledger, Effect.map(Ledger, (real) => Ledger.of({
    ...real,
    acquire: (key, owner, leaseDuration) => mutant === "no-claim"
        ? Effect.succeed({
            _tag: "Acquired",
            lease: {
                fencingToken: Date.now() * 1000 + lastFencingToken++,
                attempts: 0,
                expiredLeases: 0,
                firstAt: Date.now(),
                renew: Effect.void,
                decide: () => Effect.void,
                release: () => Effect.void,
            },
        })
        : Effect.map(real.acquire(key, owner, leaseDuration), (result) => result._tag === "Acquired"
            ? {
                ...result,
                lease: {
                    ...result.lease,
                    decide: (decision, attempts) => Effect.tap(result.lease.decide(decision, attempts), () => maybeCrash("after-decided")),
                },
            }
            : result),
})));
export const lease = Duration.seconds(2);
