/** A history in memory that says when it is asked, and lets nothing through before its gate is open. */
import { History } from "@armoricore/history/History"
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory"
import { Deferred, Effect, Layer } from "effect"

/** Appending waits, and reading `since` something; reading the latest does not. */
export const make = Effect.gen(function* () {
  const requested = yield* Deferred.make<void>()
  const gate = yield* Deferred.make<void>()
  const pass = Effect.andThen(Deferred.succeed(requested, undefined), Deferred.await(gate))
  const slow = Effect.map(History, (history): History["Service"] => ({
    ...history,
    append: (room, id, body) => Effect.andThen(pass, history.append(room, id, body)),
    read: (room, page) =>
      page.since === undefined ? history.read(room, page) : Effect.andThen(pass, history.read(room, page)),
  }))
  return {
    layer: Layer.effect(History, slow).pipe(Layer.provide(MemoryHistory.layer())),
    asked: Deferred.await(requested),
    open: Deferred.succeed(gate, undefined),
  }
})
