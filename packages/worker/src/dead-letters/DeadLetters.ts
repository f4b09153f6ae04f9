/** The operator's actions on dead letters: list, get, replay (unchanged or edited) and discard. */
import { event, prefixes, work } from "@armoricore/bus/Address"
import { type DeadLetterFilter, EventBus, type Headers, type StoredDeadLetter } from "@armoricore/bus/EventBus"
import {
  type ConfigurationError,
  NotFound,
  type PermanentError,
  InvalidEvent,
  type TransientError,
} from "@armoricore/domain/Errors"
import { deriveId, sha256 } from "@armoricore/domain/DeterministicId"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { signatureHeader } from "@armoricore/domain/Signature"
import { Context, Effect, Layer, Option } from "effect"
import { Ledger } from "../ledger/Ledger.ts"
import * as WorkSchemas from "../WorkSchemas.ts"
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
     * Publishes the message again, with `body` instead of its own if given. The ledger record is deleted first, so that
     * the handler runs again. The operator authorises the message: workers check no signature on it.
     *
     * Unchanged, the dead letter is removed once the bus has the message. With `body`, it is removed once a consumer has
     * handled the message; if that fails too, the original stays beside the new dead letter. `body` must be a valid event,
     * or for internal work a valid work message.
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
      const workSchemas = yield* WorkSchemas.WorkSchemas

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
        list: Effect.fn("DeadLetters.list")(function* ({ reason, limit, ...filter }) {
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
        get: Effect.fn("DeadLetters.get")(function* (id) {
          return (yield* get(id)).deadLetter
        }),
        replay: Effect.fn("DeadLetters.replay")(function* (id, edited) {
          const { deadLetter, stored } = yield* get(id)
          const { record } = deadLetter
          const address = yield* addressOf(workSchemas, record, edited)
          const body = edited ?? deadLetter.body
          // The ledger key of work is its message id, that of an event its event id.
          const key = address.channel === "work" ? record.message_id : record.event_id
          // Work has one consumer; an edited or never handled event is for all consumers of its type.
          const isForAll = address.channel === "event" && (edited !== undefined || record.shared === true)
          if (key !== undefined && record.shared !== true) yield* ledger.remove(`${record.consumer}.${key}`)
          // A shared fault was never handled, so a ledger record with its id belongs to another message, or to an earlier
          // replay with another body.
          if (key !== undefined && record.shared === true) yield* ledger.removeDeadLettered(`${record.consumer}.${key}`)
          // The bus would drop the original id as a duplicate, and that of an earlier replay with another body.
          const replayed = {
            id: deriveId(
              "replay",
              key ?? record.message_id,
              id,
              edited === undefined ? "" : sha256(Buffer.from(edited).toString("latin1")),
            ),
            body,
          }
          yield* ledger.replays.record(replayed, {
            ...(isForAll ? {} : { consumer: record.consumer }),
            ...(edited === undefined ? {} : { original: id }),
          })
          yield* bus.publish({
            ...replayed,
            address,
            headers: {
              ...withoutHeaders(stored.headers, [deadLetterHeader, replayOfHeader, replayForHeader, signatureHeader]),
              [replayOfHeader]: id,
              ...(isForAll ? {} : { [replayForHeader]: record.consumer }),
            },
          })
          // The edited body may fail too; the original then is still there.
          if (edited === undefined) yield* bus.deadLetters.remove(id)
        }),
        discard: Effect.fn("DeadLetters.discard")(function* (id) {
          yield* bus.deadLetters.remove(id)
        }),
      })
    }),
  )
}

/** Dead letters per page. */
const pageSize = 100

/** Names are compared case-insensitively, because buses and proxies change the case. */
const withoutHeaders = (headers: Headers, dropped: ReadonlyArray<string>): Headers => {
  const names = new Set(dropped.map((name) => name.toLowerCase()))
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.has(name.toLowerCase())))
}

/** The original address; an edited event goes to the subject of its new type. */
const addressOf = Effect.fnUntraced(function* (
  schemas: WorkSchemas.SchemasByKey,
  record: DeadLetterRecord,
  edited: Uint8Array | undefined,
) {
  if (record.subject.startsWith(prefixes.work)) {
    const [service = "", ...rest] = record.subject.slice(prefixes.work.length).split(".")
    const kind = rest.join(".")
    if (edited !== undefined) yield* validateWork(schemas, record, service, kind, edited)
    return work(service, kind)
  }
  if (edited === undefined) return event(record.subject.slice(prefixes.event.length))
  const { event: editedEvent } = yield* EventCodec.decode(edited)
  return event(editedEvent.event_type)
})

const validateWork = Effect.fnUntraced(function* (
  schemas: WorkSchemas.SchemasByKey,
  record: DeadLetterRecord,
  service: string,
  kind: string,
  edited: Uint8Array,
) {
  yield* Effect.mapError(
    WorkSchemas.decode(edited, schemas.get(WorkSchemas.keyOf(service, kind))),
    ({ message, path, reason }) =>
      new InvalidEvent({
        reason,
        path,
        message: `${message}; this dead letter is internal work${record.event_id === undefined ? "" : ` of the event ${record.event_id}`}: to change what the event asks for, publish the event again, edited and with a new event_id`,
      }),
  )
})
