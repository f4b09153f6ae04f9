/** The audit log of actions and denials, across processes. */
import { Audit } from "@armoricore/operator";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Fiber, Layer, Logger } from "effect";
import { TestClock } from "effect/testing";
/** A process with the audit log of the same state as the others of the test. */
const withAuditLog = (work) => Effect.flatMap(Audit, work).pipe(Effect.provide(Layer.fresh(Audit.layer)));
const sharedState = Effect.provide([MemoryState.layer, Logger.layer([])]);
describe("the audit log", () => {
    it.effect("survives the process; an action that ended with the process stays `started`", () => Effect.gen(function* () {
        yield* withAuditLog((audit) => Effect.gen(function* () {
            yield* audit.record({ action: "Kick", payload: { user_id: "ada" }, user_id: "ida" }, Effect.void);
            const running = yield* Effect.forkChild(audit.record({ action: "Ban", payload: { user_id: "bob" }, user_id: "ida" }, Effect.never));
            yield* TestClock.adjust("1 second");
            yield* Fiber.interrupt(running);
        }));
        const found = yield* withAuditLog((audit) => audit.list({ limit: 10 }));
        assert.deepStrictEqual(found.map(({ action, outcome, user_id }) => [action, outcome, user_id]), [
            ["Ban", "started", "ida"],
            ["Kick", "done", "ida"],
        ]);
    }).pipe(sharedState));
    it.effect("stays bounded while many users are refused", () => Effect.gen(function* () {
        const found = yield* withAuditLog((audit) => Effect.gen(function* () {
            for (let user = 0; user < 300; user++) {
                yield* audit.recordDenied({ action: "Kick", payload: null, user_id: `user-${user}` }, "no");
            }
            yield* TestClock.adjust("61 seconds");
            yield* audit.recordDenied({ action: "Kick", payload: null, user_id: "one more" }, "no");
            return yield* audit.list({ limit: 1_000 });
        }));
        assert.lengthOf(found, 201);
        // Every evicted user is reported.
        assert.deepInclude(found[0], { user_id: "one more", suppressed: 100 });
    }).pipe(sharedState));
});
