/**
 * Delivers appends between processes with LISTEN and NOTIFY. A notification carries the item if it fits into
 * PostgreSQL's 8,000 bytes, otherwise its `seq`, and the item is read. It is sent after the commit: NOTIFY inside a
 * transaction would serialise all commits. A notification lost in a crash is detected by the next item's `previousSeq`.
 * The listening connection opens with the first subscriber.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Latch, Queue } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { Subscribers } from "../Subscribers.ts"
import type { HistoryItem } from "../History.ts"

const channel = "armoricore_history"
/** PostgreSQL's limit is below 8,000 bytes. */
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
    // A room's `seq` has no gaps. A deleted item is not sent: the next one's `previousSeq` shows it.
    if (item !== undefined) subscribers.publish(room, { item, previousSeq: seq - 1 })
  })

  const session = Effect.scoped(
    Effect.gen(function* () {
      const notifications = yield* sql.listen(channel)
      isListening.openUnsafe()
      // Everything before is a gap; at the first connection there is no subscriber that could miss anything.
      subscribers.notifyGap()
      yield* Effect.forever(Effect.flatMap(Queue.take(notifications), ({ payload }) => dispatch(payload ?? "")))
    }),
  ).pipe(
    Effect.ensuring(Effect.sync(() => isListening.closeUnsafe())),
    Effect.catch((error) => Effect.logDebug("LISTEN for history notifications failed; retrying", error)),
    Effect.andThen(Effect.sleep("1 second")),
  )
  const start = yield* Effect.cached(Effect.forkIn(Effect.forever(session), scope))

  return {
    subscribe: (room: string, onAppend: Parameters<Subscribers["add"]>[1], onGap: () => void) =>
      start.pipe(
        Effect.andThen(subscribers.add(room, onAppend, onGap)),
        // While the server is unreachable; reported as a gap after the reconnect.
        Effect.andThen(Effect.timeoutOption(isListening.await, "3 seconds")),
        Effect.asVoid,
      ),
    notify: (room: string, { seq, id, body }: HistoryItem): Effect.Effect<void> => {
      const short = `${room} ${seq}`
      const whole = `${short} ${id} ${Buffer.from(body).toString("base64")}`
      return sql
        .notify(channel, whole.length <= maxPayload ? whole : short)
        .pipe(
          Effect.catch((error) => Effect.logDebug("an item was stored, but other processes were not notified", error)),
        )
    },
  }
})
