/** The dead letters in their stream, browsed by direct gets, so that browsing leaves no consumer behind. */
import { NotFound } from "@armoricore/domain/Errors"
import { Effect } from "effect"
import type { JetStreamClient, JetStreamManager, NatsConnection as Client } from "nats"
import { deadLetter, prefixes, subject } from "../Address.ts"
import type { EventBus, StoredDeadLetter } from "../EventBus.ts"
import { errorFrom, isNotFound, type NatsRequestError } from "@armoricore/nats/NatsErrors"
import * as DirectGet from "@armoricore/nats/DirectGet"
import * as NatsDeadLetterBodies from "./NatsDeadLetterBodies.ts"
import { losesMessagesOfSubjects } from "@armoricore/nats/ServerFaults"
import { matcher } from "../Subjects.ts"
import { streamNames } from "./NatsStreams.ts"

const stream = streamNames.dead
const resource = `stream ${stream}`

export const make = (
  jetstream: Effect.Effect<
    { readonly client: Client; readonly js: JetStreamClient; readonly manager: JetStreamManager },
    NatsRequestError
  >,
): EventBus["Service"]["deadLetters"] => {
  const find = (query: DirectGet.Query) =>
    Effect.flatMap(jetstream, ({ client }) => DirectGet.get(client, stream, query))
  const withBody = (found: DirectGet.DirectMessage) =>
    Effect.flatMap(jetstream, ({ js }) => NatsDeadLetterBodies.loadBody(js, toDeadLetter(found)))
  const deadLetterNotFound = (deadLetterId: string) => new NotFound({ resource: "dead letter", id: deadLetterId })
  return {
    list: Effect.fnUntraced(function* (filter) {
      const service = filter.service ?? "*"
      const wanted =
        filter.type === undefined ? `${prefixes.dead}${service}.>` : subject(deadLetter(service, filter.type))
      const isWanted = matcher(wanted)
      const { client } = yield* jetstream
      // Such a server would no longer find some of them by their subject. A read of all costs a request for each other one.
      const searched = losesMessagesOfSubjects(client.info?.version ?? "") ? ">" : wanted
      const found: Array<StoredDeadLetter> = []
      let after = parseSequence(filter.after ?? "")
      while (found.length < filter.limit) {
        const message = yield* find({ seq: after + 1, next_by_subj: searched })
        if (message === undefined) break
        if (isWanted(message.stored.subject)) found.push(yield* withBody(message))
        after = message.sequence
      }
      return found
    }),
    get: Effect.fnUntraced(function* (deadLetterId) {
      const seq = parseSequence(deadLetterId)
      const message = seq === 0 ? undefined : yield* find({ seq })
      return message === undefined ? yield* deadLetterNotFound(deadLetterId) : yield* withBody(message)
    }),
    remove: Effect.fnUntraced(function* (deadLetterId) {
      const { js, manager } = yield* jetstream
      const seq = parseSequence(deadLetterId)
      const message = seq === 0 ? undefined : yield* find({ seq })
      if (message === undefined) return yield* deadLetterNotFound(deadLetterId)
      const removed =
        seq !== 0 &&
        (yield* Effect.tryPromise({
          try: () => manager.streams.deleteMessage(stream, seq, false),
          catch: (cause) => cause,
        }).pipe(
          Effect.catchIf(isNotFound, () => Effect.succeed(false)),
          Effect.mapError(errorFrom(resource)),
        ))
      if (!removed) return yield* deadLetterNotFound(deadLetterId)
      yield* NatsDeadLetterBodies.remove(js, toDeadLetter(message))
    }),
  }
}

const toDeadLetter = ({ sequence: seq, stored }: DirectGet.DirectMessage): StoredDeadLetter => ({
  ...stored,
  deadLetterId: String(seq),
})

/** An id that is not a number becomes 0, which no dead letter has. */
const parseSequence = (deadLetterId: string): number => (/^\d{1,15}$/.test(deadLetterId) ? Number(deadLetterId) : 0)
