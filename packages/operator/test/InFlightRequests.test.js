/** The operator API during a shutdown. */
import { RealtimeAdmin } from "@armoricore/realtime/admin/RealtimeAdmin";
import { Handlers } from "@armoricore/operator";
import { assert, describe, it } from "@effect/vitest";
import { Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect";
import { withToken, clientOverHttp, clientOverWebSocket, startServer, services, tokenFor, } from "./support/OperatorHarness.ts";
/** An action that runs until the test ends it. */
class PendingKick {
    started = Deferred.makeUnsafe();
    done = Deferred.makeUnsafe();
    api = Handlers.layer({ version: "test" }).pipe(Layer.provide(Layer.effect(RealtimeAdmin, Effect.map(RealtimeAdmin, (operator) => ({
        ...operator,
        kick: () => Deferred.succeed(this.started, undefined).pipe(Effect.andThen(Deferred.await(this.done)), Effect.as({ kicked: 1, unresponsive: [] })),
    })))), Layer.provideMerge(services));
}
describe("the operators' API when the program stops", () => {
    for (const [wire, connected] of [
        ["HTTP", clientOverHttp],
        ["a WebSocket", clientOverWebSocket],
    ]) {
        it.live(`finishes an action in flight over ${wire} before the server stops`, () => {
            const act = new PendingKick();
            return Effect.gen(function* () {
                const scope = yield* Scope.make();
                const client = yield* connected(yield* startServer(scope));
                const token = yield* tokenFor("root", { roles: ["operator"] });
                const kick = yield* Effect.forkChild(withToken(token)(client.Kick({ user_id: "ada", reason: "noise" })));
                yield* Deferred.await(act.started);
                const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true });
                // The interruption comes before the next turn of the event loop.
                yield* Effect.callback((resume) => void setImmediate(() => resume(Effect.void)));
                yield* Deferred.succeed(act.done, undefined);
                assert.deepStrictEqual(yield* Fiber.join(kick), { kicked: 1, unresponsive: [] });
                yield* Fiber.join(closing);
            }).pipe(Effect.provide(act.api));
        });
    }
});
