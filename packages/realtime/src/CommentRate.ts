/**
 * How often a user may comment: over all sockets, streams and nodes, since it is the user who is to think before the next
 * one. Each user has a node that counts, chosen by hash among those that are there; the others ask it. One that does not
 * answer in time, or a bus that is away, leaves the asking node to count for itself.
 */
import { Clock, Context, Duration, Effect, Layer, Schedule, Schema } from "effect"
import { Cluster } from "./cluster/Cluster.ts"
import { ownerOf } from "./cluster/Rendezvous.ts"
import * as Elapsed from "./Elapsed.ts"
import type { Rate } from "./Limits.ts"
import { Party } from "./Parties.ts"

const kind = "comment.rate"
/** A comment waits no longer for another node. */
const patience = Duration.millis(500)

export class CommentRate extends Context.Service<
  CommentRate,
  {
    /** Takes one comment out of the user's allowance: 0, or how many milliseconds until there is one. */
    readonly take: (userId: string) => Effect.Effect<number>
  }
>()("@armoricore/realtime/CommentRate") {
  static readonly layer = (rate: Rate = { perSecond: 1, burst: 1 }): Layer.Layer<CommentRate, never, Cluster> =>
    Layer.effect(
      CommentRate,
      Effect.gen(function* () {
        const cluster = yield* Cluster
        const clock = yield* Clock.Clock
        const users = new Map<string, Party>()
        const sweep = Effect.sync(() => {
          const now = Elapsed.millis(clock)
          for (const user of users.values()) if (user.isForgettable(now)) users.delete(user.key)
        })
        yield* Effect.forkScoped(Effect.repeat(sweep, Schedule.spaced("10 seconds")))

        const takeHere = (userId: string): number => {
          const user = users.get(userId) ?? new Party(userId)
          users.set(userId, user)
          return user.message(rate, Elapsed.millis(clock))
        }
        yield* cluster.on(kind, Schema.String, ({ value, answer }) => answer(takeHere(value)))

        return {
          take: (userId) =>
            Effect.suspend(() => {
              const owner = ownerOf(userId, [cluster.node, ...cluster.others()])
              if (owner === cluster.node || !cluster.isConnected()) return Effect.sync(() => takeHere(userId))
              return Effect.map(
                cluster.ask(owner, kind, userId, Schema.Finite, patience),
                (wait) => wait ?? takeHere(userId),
              )
            }),
        }
      }),
    )
}
