/** Removes the events and dead letters of a user from the bus. An event that a consumer has not handled yet stays. */
import { EventBus, type StoredDeadLetter } from "@armoricore/bus/EventBus"
import { Effect, Option } from "effect"
import type { ErasureStore } from "./ErasureStore.ts"

export const makeStores = Effect.map(EventBus, (bus): ReadonlyArray<ErasureStore> => [
  {
    name: "dead_letters",
    erase: Effect.fn("BusErasure.deadLetters")(function* ({ userId }) {
      const isOfUser = messageOf(userId)
      let removed = 0
      let after: string | undefined
      for (;;) {
        const page: ReadonlyArray<StoredDeadLetter> = yield* bus.deadLetters.list({
          limit: pageSize,
          ...(after === undefined ? {} : { after }),
        })
        for (const { body, deadLetterId } of page) {
          if (!isOfUser(body)) continue
          yield* Effect.catchTag(bus.deadLetters.remove(deadLetterId), "NotFound", () => Effect.void)
          removed++
        }
        after = page.at(-1)?.deadLetterId
        if (page.length < pageSize) return removed
      }
    }),
  },
  {
    name: "events",
    erase: ({ userId }) => bus.removeHandled(searchTextOf(userId), messageOf(userId)),
  },
])

const pageSize = 100

/** A text that each message of the user contains: publishers escape other characters in several ways. */
const searchTextOf = (userId: string): string => (/^[A-Za-z0-9_-]+$/.test(userId) ? userId : "user_id")

const parse = Option.liftThrowable((body: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(body)))

/** An event or work message about the user. The request of the erasure itself and its report stay. */
export const messageOf =
  (userId: string) =>
  (body: Uint8Array): boolean =>
    Option.match(parse(body), {
      onNone: () => false,
      onSome: (message) => !isErasure(message) && hasUser(message, userId),
    })

const isErasure = (message: unknown): boolean =>
  isRecord(message) && /^user\.erase(d|_requested)$/.test(String(message["event_type"]))

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** Backends may send the id as a number. */
const hasUser = (value: unknown, userId: string): boolean =>
  isRecord(value) &&
  Object.entries(value).some(([name, field]) =>
    name === "user_id" ? String(field) === userId : typeof field === "object" && hasUser(field, userId),
  )
