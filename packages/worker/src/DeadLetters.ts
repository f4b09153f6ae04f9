/** What an operator does with dead letters: list, look, replay (as it was, or mended), discard. */
import { event, work } from "@armoricore/bus/Address"
import { type DeadLetterFilter, EventBus, type StoredLetter } from "@armoricore/bus/EventBus"
import {
  type ConfigurationError,
  NotFound,
  type PermanentError,
  Rejected,
  type TransientError,
} from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { Context, Effect, Layer, Option } from "effect"
import { Ledger } from "./Ledger.ts"
import { infoOf, letterHeader, type LetterInfo, replayForHeader, replayHeader } from "./Letter.ts"

export interface DeadLetter {
  readonly id: string
  readonly info: LetterInfo
  /** As it was received. */
  readonly body: Uint8Array
}

export interface Filter extends DeadLetterFilter {
  readonly reason?: string
}

type PortFailure = TransientError | ConfigurationError

export class DeadLetters extends Context.Service<
  DeadLetters,
  {
    /** Oldest first. */
    readonly list: (filter: Filter) => Effect.Effect<ReadonlyArray<DeadLetter>, PortFailure>
    readonly get: (id: string) => Effect.Effect<DeadLetter, NotFound | PortFailure>
    /**
     * Sends the message again, with `body` in place of its own where given, and removes the letter once the bus has
     * it. The consumer's record is forgotten first, so that it really runs again. An edited body must be a valid event.
     */
    readonly replay: (
      id: string,
      body?: Uint8Array,
    ) => Effect.Effect<void, NotFound | Rejected | PermanentError | PortFailure>
    readonly discard: (id: string) => Effect.Effect<void, NotFound | PortFailure>
  }
>()("@armoricore/worker/DeadLetters") {
  static readonly layer = Layer.effect(
    DeadLetters,
    Effect.gen(function* () {
      const bus = yield* EventBus
      const ledger = yield* Ledger

      const read = (stored: StoredLetter): Effect.Effect<Option.Option<DeadLetter>> =>
        Effect.map(
          infoOf(stored),
          Option.map((info) => ({ id: stored.letterId, info, body: stored.body })),
        )

      const get = Effect.fnUntraced(function* (id: string) {
        const stored = yield* bus.deadLetters.get(id)
        const letter = yield* read(stored)
        return Option.isNone(letter)
          ? yield* new NotFound({ what: "dead letter", id })
          : { letter: letter.value, stored }
      })

      return DeadLetters.of({
        list: Effect.fnUntraced(function* ({ reason, limit, ...filter }) {
          const found: Array<DeadLetter> = []
          let after = filter.after
          // The bus knows no reasons: pages are read until enough letters fit.
          while (found.length < limit) {
            const stored = yield* bus.deadLetters.list({
              ...filter,
              ...(after === undefined ? {} : { after }),
              limit: page,
            })
            const letters = yield* Effect.forEach(stored, read)
            found.push(
              ...letters
                .flatMap(Option.toArray)
                .filter((letter) => reason === undefined || letter.info.reason === reason),
            )
            after = stored.at(-1)?.letterId
            if (stored.length < page) break
          }
          return found.slice(0, limit)
        }),
        get: (id) => Effect.map(get(id), ({ letter }) => letter),
        replay: Effect.fnUntraced(function* (id, edited) {
          const { letter, stored } = yield* get(id)
          const { info } = letter
          const address = yield* addressOf(info, edited)
          const body = edited ?? letter.body
          // Work is known by its message id, events by their own.
          const key = address.channel === "work" ? info.message_id : info.event_id
          const isForAll = edited !== undefined || info.shared === true
          // What nobody could read has no record; one under its id is of another message.
          if (key !== undefined && info.shared !== true) yield* ledger.forget(`${info.consumer}.${key}`)
          const { [letterHeader]: _dropped, [replayForHeader]: _former, ...headers } = stored.headers
          // The bus would drop its own id as a duplicate.
          const again = { id: `${key ?? info.message_id}.replay.${id}`, body }
          if (!isForAll) yield* ledger.replays.note(again, info.consumer)
          yield* bus.publish({
            ...again,
            address,
            headers: {
              ...headers,
              [replayHeader]: id,
              // As it was, the others handled it; mended, or read by nobody, it is news to everyone.
              ...(isForAll ? {} : { [replayForHeader]: info.consumer }),
            },
          })
          yield* bus.deadLetters.remove(id)
        }),
        discard: (id) => bus.deadLetters.remove(id),
      })
    }),
  )
}

/** Letters read at once. */
const page = 100

const workPrefix = "armoricore-work."

/** Back to where it came from; an edited event goes to the subject of the type that it has now. */
const addressOf = Effect.fnUntraced(function* (info: LetterInfo, edited: Uint8Array | undefined) {
  if (info.subject.startsWith(workPrefix)) {
    const [service = "", ...kind] = info.subject.slice(workPrefix.length).split(".")
    return work(service, kind.join("."))
  }
  if (edited === undefined) return event(info.subject.slice("armoricore.".length))
  const { event: mended } = yield* EventCodec.decode(edited)
  return event(mended.event_type)
})
