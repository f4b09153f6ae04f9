/** The behaviour of the operator API over every transport. */
import { describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { api } from "./OperatorHarness.ts"
import type { Client, OperatorTest, Provided } from "./behaviour/Harness.ts"
import { accessBehaviour } from "./behaviour/Access.ts"
import { deadLetterBehaviour } from "./behaviour/DeadLetters.ts"
import { jobBehaviour } from "./behaviour/Jobs.ts"
import { notificationBehaviour } from "./behaviour/Notifications.ts"
import { reviewBehaviour } from "./behaviour/Reviews.ts"
import { viewBehaviour } from "./behaviour/Views.ts"

export const behaviour = (name: string, open: Effect.Effect<unknown, unknown, Provided>): void => {
  // Clients differ in the errors of their transport alone, which no test meets.
  const connected = open as Effect.Effect<Client, never, Provided>
  const test: OperatorTest = (title, run) =>
    it.live(title, () =>
      Effect.flatMap(connected, run).pipe(Effect.scoped, Effect.provide(api), Effect.provide(Logger.layer([]))),
    )

  describe(name, () => {
    accessBehaviour(test)
    deadLetterBehaviour(test)
    jobBehaviour(test)
    notificationBehaviour(test)
    reviewBehaviour(test)
    viewBehaviour(test)
  })
}
