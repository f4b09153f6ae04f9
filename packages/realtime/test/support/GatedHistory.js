/** A memory history that signals the first request, and blocks requests until its gate opens. */
import { History } from "@armoricore/history/History";
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory";
import { Deferred, Effect, Layer } from "effect";
/** Appends and reads with `after` wait for the gate; other reads do not. */
export const make = Effect.gen(function* () {
    const requested = yield* Deferred.make();
    const gate = yield* Deferred.make();
    const pass = Effect.andThen(Deferred.succeed(requested, undefined), Deferred.await(gate));
    const slow = Effect.map(History, (history) => ({
        ...history,
        append: (room, id, body) => Effect.andThen(pass, history.append(room, id, body)),
        read: (room, page) => page.after === undefined ? history.read(room, page) : Effect.andThen(pass, history.read(room, page)),
    }));
    return {
        layer: Layer.effect(History, slow).pipe(Layer.provide(MemoryHistory.layer())),
        asked: Deferred.await(requested),
        open: Deferred.succeed(gate, undefined),
    };
});
