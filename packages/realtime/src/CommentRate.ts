/**
 * How often a user may comment: over all sockets and streams, since it is the user who is to think before the next one.
 * This layer counts on its node alone; one for many nodes asks the user's own node.
 */
import { Clock, Context, Effect, Layer, Schedule } from "effect"
import type { Rate } from "./Limits.ts"
import { Party } from "./Parties.ts"

export class CommentRate extends Context.Service<
  CommentRate,
  {
    /** Takes one comment out of the user's allowance: 0, or how many milliseconds until there is one. */
    readonly take: (userId: string) => Effect.Effect<number>
  }
>()("@armoricore/realtime/CommentRate") {
  static readonly layer = (rate: Rate = { perSecond: 1, burst: 1 }) =>
    Layer.effect(
      CommentRate,
      Effect.gen(function* () {
        const users = new Map<string, Party>()
        const sweep = Effect.map(Clock.currentTimeMillis, (now) => {
          for (const user of users.values()) if (user.isForgettable(now)) users.delete(user.key)
        })
        yield* Effect.forkScoped(Effect.repeat(sweep, Schedule.spaced("10 seconds")))
        return {
          take: (userId) =>
            Effect.map(Clock.currentTimeMillis, (now) => {
              const user = users.get(userId) ?? new Party(userId)
              users.set(userId, user)
              return user.message(rate, now)
            }),
        }
      }),
    )
}
