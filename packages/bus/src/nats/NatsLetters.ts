/** Dead letters as they lie in their stream: browsed by direct gets, so that no consumer is left behind. */
import { NotFound } from "@armoricore/domain/Errors"
import { Effect } from "effect"
import type { JetStreamClient, JetStreamManager, NatsConnection as Client } from "nats"
import { dead, prefixes, subject } from "../Address.ts"
import type { EventBus, StoredLetter } from "../EventBus.ts"
import { failure, isMissing, type NatsFailure } from "./NatsErrors.ts"
import * as NatsDirect from "./NatsDirect.ts"
import * as NatsLetterBodies from "./NatsLetterBodies.ts"
import { streamNames } from "./NatsStreams.ts"

const stream = streamNames.dead
const resource = `stream ${stream}`

export const make = (
  jetstream: Effect.Effect<
    { readonly client: Client; readonly js: JetStreamClient; readonly manager: JetStreamManager },
    NatsFailure
  >,
): EventBus["Service"]["deadLetters"] => {
  const ask = (query: NatsDirect.Query) =>
    Effect.flatMap(jetstream, ({ client }) => NatsDirect.get(client, stream, query))
  const filled = (found: NatsDirect.Found) =>
    Effect.flatMap(jetstream, ({ js }) => NatsLetterBodies.fill(js, letter(found)))
  const noLetter = (letterId: string) => new NotFound({ what: "dead letter", id: letterId })
  return {
    list: Effect.fnUntraced(function* (filter) {
      const service = filter.service ?? "*"
      const wanted = filter.type === undefined ? `${prefixes.dead}${service}.>` : subject(dead(service, filter.type))
      const found: Array<StoredLetter> = []
      let after = sequence(filter.after ?? "")
      while (found.length < filter.limit) {
        const message = yield* ask({ seq: after + 1, next_by_subj: wanted })
        if (message === undefined) break
        found.push(yield* filled(message))
        after = message.sequence
      }
      return found
    }),
    get: Effect.fnUntraced(function* (letterId) {
      const seq = sequence(letterId)
      const message = seq === 0 ? undefined : yield* ask({ seq })
      return message === undefined ? yield* noLetter(letterId) : yield* filled(message)
    }),
    remove: Effect.fnUntraced(function* (letterId) {
      const { js, manager } = yield* jetstream
      const seq = sequence(letterId)
      const message = seq === 0 ? undefined : yield* ask({ seq })
      if (message === undefined) return yield* noLetter(letterId)
      const removed =
        seq !== 0 &&
        (yield* Effect.tryPromise({
          try: () => manager.streams.deleteMessage(stream, seq, false),
          catch: (cause) => cause,
        }).pipe(
          Effect.catchIf(isMissing, () => Effect.succeed(false)),
          Effect.mapError(failure(resource)),
        ))
      if (!removed) return yield* noLetter(letterId)
      yield* NatsLetterBodies.remove(js, letter(message))
    }),
  }
}

const letter = ({ sequence: seq, stored }: NatsDirect.Found): StoredLetter => ({ ...stored, letterId: String(seq) })

/** 0, which no letter has, for what is no number. */
const sequence = (letterId: string): number => (/^\d{1,15}$/.test(letterId) ? Number(letterId) : 0)
