/** Who follows which room in this process; for adapters. A follower that throws is its own fault and is not caught. */
import { Effect, type Scope } from "effect"
import type { Added } from "./History.ts"

interface Follower {
  readonly onAdded: (added: Added) => void
  readonly onGap: () => void
}

export class Followers {
  readonly #rooms = new Map<string, Set<Follower>>()

  /** Until the scope closes. */
  add(room: string, onAdded: Follower["onAdded"], onGap: Follower["onGap"]): Effect.Effect<void, never, Scope.Scope> {
    const follower = { onAdded, onGap }
    return Effect.asVoid(
      Effect.acquireRelease(
        Effect.sync(() => {
          const followers = this.#rooms.get(room)
          if (followers === undefined) this.#rooms.set(room, new Set([follower]))
          else followers.add(follower)
        }),
        () =>
          Effect.sync(() => {
            const followers = this.#rooms.get(room)
            if (followers?.delete(follower) === true && followers.size === 0) this.#rooms.delete(room)
          }),
      ),
    )
  }

  has(room: string): boolean {
    return this.#rooms.has(room)
  }

  tell(room: string, added: Added): void {
    for (const { onAdded } of this.#rooms.get(room) ?? []) onAdded(added)
  }

  gap(): void {
    for (const followers of this.#rooms.values()) for (const { onGap } of followers) onGap()
  }
}
