/**
 * How processes hear of each other's items in PostgreSQL: LISTEN and NOTIFY. A notification carries the item where it fits
 * into PostgreSQL's 8,000 bytes, else its number, and the item is read. It is sent behind the commit, since within a
 * transaction it would make all commits wait for each other; what a crash keeps from being told is found by the next
 * item's `previous`. The connection that listens is opened with the first follower.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Latch, Queue } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { Subscribers } from "../Subscribers.ts"
import type { HistoryItem } from "../History.ts"

const channel = "armoricore_history"
/** PostgreSQL takes less than 8,000 bytes. */
const maxPayload = 7_900

export const make = Effect.fnUntraced(function* (
  sql: PgClient.PgClient,
  read: (room: string, seq: number) => Effect.Effect<HistoryItem | undefined, SqlError>,
) {
  const scope = yield* Effect.scope
  const subscribers = new Subscribers()
  const isListening = yield* Latch.make(false)

  const dispatch = Effect.fnUntraced(function* (payload: string) {
    const [room = "", number = "", id, encoded] = payload.split(" ")
    if (!subscribers.has(room)) return
    const seq = Number(number)
    const whole = id !== undefined && encoded !== undefined
    const item = whole ? { seq, id, body: Buffer.from(encoded, "base64") } : yield* read(room, seq)
    // A room's numbers have no gaps. What is gone already is not told: the next one's `previous` shows it.
    if (item !== undefined) subscribers.publish(room, { item, previousSeq: seq - 1 })
  })

  const session = Effect.scoped(
    Effect.gen(function* () {
      const notifications = yield* sql.listen(channel)
      isListening.openUnsafe()
      // Whatever passed before is missed: the first time there is nobody who could.
      subscribers.notifyGap()
      yield* Effect.forever(Effect.flatMap(Queue.take(notifications), ({ payload }) => dispatch(payload ?? "")))
    }),
  ).pipe(
    Effect.ensuring(Effect.sync(() => isListening.closeUnsafe())),
    Effect.catch((error) => Effect.logDebug("the history's notifications are not heard; trying again", error)),
    Effect.andThen(Effect.sleep("1 second")),
  )
  const start = yield* Effect.cached(Effect.forkIn(Effect.forever(session), scope))

  return {
    subscribe: (room: string, onAppend: Parameters<Subscribers["add"]>[1], onGap: () => void) =>
      start.pipe(
        Effect.andThen(subscribers.add(room, onAppend, onGap)),
        // A server that is away is told as a gap when it is back.
        Effect.andThen(Effect.timeoutOption(isListening.await, "3 seconds")),
        Effect.asVoid,
      ),
    notify: (room: string, { seq, id, body }: HistoryItem): Effect.Effect<void> => {
      const short = `${room} ${seq}`
      const whole = `${short} ${id} ${Buffer.from(body).toString("base64")}`
      return sql
        .notify(channel, whole.length <= maxPayload ? whole : short)
        .pipe(Effect.catch((error) => Effect.logDebug("an item was kept, and not told to other processes", error)))
    },
  }
})
