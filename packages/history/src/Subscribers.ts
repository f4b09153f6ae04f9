/**
 * The subscribers of each room in this process, for adapters. An exception of a subscriber is a bug and is not caught.
 */
import { Effect, type Scope } from "effect"
import type { AppendNotification } from "./History.ts"

interface Subscriber {
  readonly onAppend: (added: AppendNotification) => void
  readonly onGap: () => void
}

export class Subscribers {
  readonly #rooms = new Map<string, Set<Subscriber>>()

  /** Until the scope closes. */
  add(
    room: string,
    onAppend: Subscriber["onAppend"],
    onGap: Subscriber["onGap"],
  ): Effect.Effect<void, never, Scope.Scope> {
    const follower = { onAppend, onGap }
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

  publish(room: string, added: AppendNotification): void {
    for (const { onAppend } of this.#rooms.get(room) ?? []) onAppend(added)
  }

  notifyGap(): void {
    for (const followers of this.#rooms.values()) for (const { onGap } of followers) onGap()
  }
}
