/** The operator's actions on dead letters: list, get, replay (unchanged or edited) and discard. */
import { event, work } from "@armoricore/bus/Address"
import { type DeadLetterFilter, EventBus, type StoredDeadLetter } from "@armoricore/bus/EventBus"
import {
  type ConfigurationError,
  NotFound,
  type PermanentError,
  InvalidEvent,
  type TransientError,
} from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { Context, Effect, Layer, Option } from "effect"
import { Ledger } from "../ledger/Ledger.ts"
import {
  recordOf,
  deadLetterHeader,
  type DeadLetterRecord,
  replayForHeader,
  replayOfHeader,
} from "./DeadLetterRecord.ts"

export interface DeadLetter {
  readonly id: string
  readonly record: DeadLetterRecord
  /** As received. */
  readonly body: Uint8Array
}

export interface DeadLetterQuery extends DeadLetterFilter {
  readonly reason?: string
}

type PortFailure = TransientError | ConfigurationError

export class DeadLetters extends Context.Service<
  DeadLetters,
  {
    /** Oldest first. */
    readonly list: (filter: DeadLetterQuery) => Effect.Effect<ReadonlyArray<DeadLetter>, PortFailure>
    readonly get: (id: string) => Effect.Effect<DeadLetter, NotFound | PortFailure>
    /**
     * Publishes the message again, with `body` instead of its own if given, and removes the dead letter once the bus has
     * the message. The ledger record is deleted first, so that the handler runs again. `body` must be a valid event.
     */
    readonly replay: (
      id: string,
      body?: Uint8Array,
    ) => Effect.Effect<void, NotFound | InvalidEvent | PermanentError | PortFailure>
    readonly discard: (id: string) => Effect.Effect<void, NotFound | PortFailure>
  }
>()("@armoricore/worker/DeadLetters") {
  static readonly layer = Layer.effect(
    DeadLetters,
    Effect.gen(function* () {
      const bus = yield* EventBus
      const ledger = yield* Ledger

      const read = (stored: StoredDeadLetter): Effect.Effect<Option.Option<DeadLetter>> =>
        Effect.map(
          recordOf(stored),
          Option.map((record) => ({ id: stored.deadLetterId, record, body: stored.body })),
        )

      const get = Effect.fnUntraced(function* (id: string) {
        const stored = yield* bus.deadLetters.get(id)
        const deadLetter = yield* read(stored)
        return Option.isNone(deadLetter)
          ? yield* new NotFound({ resource: "dead letter", id })
          : { deadLetter: deadLetter.value, stored }
      })

      return DeadLetters.of({
        list: Effect.fnUntraced(function* ({ reason, limit, ...filter }) {
          const matching: Array<DeadLetter> = []
          let after = filter.after
          // The bus cannot filter by reason, so pages are read until enough dead letters match.
          while (matching.length < limit) {
            const stored = yield* bus.deadLetters.list({
              ...filter,
              ...(after === undefined ? {} : { after }),
              limit: pageSize,
            })
            const records = yield* Effect.forEach(stored, read)
            matching.push(
              ...records
                .flatMap(Option.toArray)
                .filter((deadLetter) => reason === undefined || deadLetter.record.reason === reason),
            )
            after = stored.at(-1)?.deadLetterId
            if (stored.length < pageSize) break
          }
          return matching.slice(0, limit)
        }),
        get: (id) => Effect.map(get(id), ({ deadLetter }) => deadLetter),
        replay: Effect.fnUntraced(function* (id, edited) {
          const { deadLetter, stored } = yield* get(id)
          const { record } = deadLetter
          const address = yield* addressOf(record, edited)
          const body = edited ?? deadLetter.body
          // The ledger key of work is its message id, that of an event its event id.
          const key = address.channel === "work" ? record.message_id : record.event_id
          const isForAll = edited !== undefined || record.shared === true
          // A shared fault was never handled, so a ledger record with its id belongs to another message.
          if (key !== undefined && record.shared !== true) yield* ledger.remove(`${record.consumer}.${key}`)
          const { [deadLetterHeader]: _dropped, [replayForHeader]: _former, ...headers } = stored.headers
          // The bus would drop the original id as a duplicate.
          const replayed = { id: `${key ?? record.message_id}.replay.${id}`, body }
          if (!isForAll) yield* ledger.replays.record(replayed, record.consumer)
          yield* bus.publish({
            ...replayed,
            address,
            headers: {
              ...headers,
              [replayOfHeader]: id,
              // Unchanged, only its own consumer handles it again; edited or never handled, all consumers do.
              ...(isForAll ? {} : { [replayForHeader]: record.consumer }),
            },
          })
          yield* bus.deadLetters.remove(id)
        }),
        discard: (id) => bus.deadLetters.remove(id),
      })
    }),
  )
}

/** Dead letters per page. */
const pageSize = 100

const workPrefix = "armoricore-work."

/** The original address; an edited event goes to the subject of its new type. */
const addressOf = Effect.fnUntraced(function* (info: DeadLetterRecord, edited: Uint8Array | undefined) {
  if (info.subject.startsWith(workPrefix)) {
    const [service = "", ...kind] = info.subject.slice(workPrefix.length).split(".")
    return work(service, kind.join("."))
  }
  if (edited === undefined) return event(info.subject.slice("armoricore.".length))
  const { event: editedEvent } = yield* EventCodec.decode(edited)
  return event(editedEvent.event_type)
})
