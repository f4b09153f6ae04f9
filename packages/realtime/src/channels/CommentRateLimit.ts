/**
 * How often a user may comment: over all sockets, streams and nodes, since it is the user who is to think before the next
 * one. Each user has a node that counts, chosen by hash among those that are there; the others ask it. One that does not
 * answer in time, or a bus that is away, leaves the asking node to count for itself.
 */
import { Clock, Context, Duration, Effect, Layer, Schedule, Schema } from "effect"
import { Cluster } from "../cluster/Cluster.ts"
import { ownerOf } from "../cluster/Rendezvous.ts"
import * as MonotonicClock from "@armoricore/worker/MonotonicClock"
import type { Rate } from "../socket/Limits.ts"
import { ClientUsage } from "../socket/UsageLimits.ts"

const messageKind = "comment.rate"
/** A comment waits no longer for another node. */
const replyTimeout = Duration.millis(500)

export class CommentRateLimit extends Context.Service<
  CommentRateLimit,
  {
    /** Takes one comment out of the user's allowance: 0, or how many milliseconds until there is one. */
    readonly take: (userId: string) => Effect.Effect<number>
  }
>()("@armoricore/realtime/CommentRateLimit") {
  static readonly layer = (rate: Rate = { perSecond: 1, burst: 1 }): Layer.Layer<CommentRateLimit, never, Cluster> =>
    Layer.effect(
      CommentRateLimit,
      Effect.gen(function* () {
        const cluster = yield* Cluster
        const clock = yield* Clock.Clock
        const users = new Map<string, ClientUsage>()
        const sweep = Effect.sync(() => {
          const now = MonotonicClock.millis(clock)
          for (const user of users.values()) if (user.isIdle(now)) users.delete(user.key)
        })
        yield* Effect.forkScoped(Effect.repeat(sweep, Schedule.spaced("10 seconds")))

        const takeLocally = (userId: string): number => {
          const user = users.get(userId) ?? new ClientUsage(userId)
          users.set(userId, user)
          return user.consumeMessages(rate, MonotonicClock.millis(clock))
        }
        yield* cluster.on(messageKind, Schema.String, ({ value, reply }) => reply(takeLocally(value)))

        return {
          take: (userId) =>
            Effect.suspend(() => {
              const owner = ownerOf(userId, [cluster.node, ...cluster.otherNodes()])
              if (owner === cluster.node || !cluster.isConnected()) return Effect.sync(() => takeLocally(userId))
              return Effect.map(
                cluster.request(owner, messageKind, userId, Schema.Finite, replyTimeout),
                (wait) => wait ?? takeLocally(userId),
              )
            }),
        }
      }),
    )
}
