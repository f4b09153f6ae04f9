/**
 * Deletes handled events of the stream, for the erasure of personal data. A JetStream consumer has acknowledged everything
 * up to its ack floor, so an event is handled if no consumer of its subject has a lower one. Direct gets read the events,
 * so that a search leaves no consumer behind.
 */
import * as DirectGet from "@armoricore/nats/DirectGet"
import { errorFrom, isNotFound, natsRequest, type NatsRequestError } from "@armoricore/nats/NatsErrors"
import { Effect } from "effect"
import type { ConsumerInfo, JetStreamManager, NatsConnection as Client } from "nats"
import type { EventBus } from "../EventBus.ts"
import { allEvents, matcher } from "../Subjects.ts"
import { streamNames } from "./NatsStreams.ts"

const stream = streamNames.event
/** Not `allEvents`: a read by a pattern may miss events after deletions (`ServerFaults.losesMessagesOfSubjects`). */
const everything = ">"
const resource = `stream ${stream}`

export const remover =
  (
    jetstream: Effect.Effect<{ readonly client: Client; readonly manager: JetStreamManager }, NatsRequestError>,
  ): EventBus["Service"]["removeHandled"] =>
  (text, matches) =>
    Effect.gen(function* () {
      const { client, manager } = yield* jetstream
      const consumers = yield* natsRequest(resource, () => listConsumers(manager))
      const floors = consumers.map(({ ack_floor, config }) => ({
        isOf: matcher(config.filter_subject ?? allEvents),
        floor: ack_floor.stream_seq,
      }))
      let removed = 0
      let after = 0
      for (;;) {
        const found = yield* DirectGet.get(client, stream, { seq: after + 1, next_by_subj: everything })
        if (found === undefined) return removed
        const { sequence, stored } = found
        after = sequence
        const isHandled = floors.every(({ floor, isOf }) => floor >= sequence || !isOf(stored.subject))
        if (!isHandled || !Buffer.from(stored.body).includes(text) || !matches(stored.body)) continue
        if (yield* deleteEvent(manager, sequence)) removed++
      }
    })

const listConsumers = async (manager: JetStreamManager): Promise<ReadonlyArray<ConsumerInfo>> => {
  const consumers: Array<ConsumerInfo> = []
  for await (const consumer of manager.consumers.list(stream)) consumers.push(consumer)
  return consumers
}

/** False if it is deleted already. */
const deleteEvent = (manager: JetStreamManager, seq: number) =>
  Effect.tryPromise({ try: () => manager.streams.deleteMessage(stream, seq, true), catch: (cause) => cause }).pipe(
    Effect.catchIf(isNotFound, () => Effect.succeed(false)),
    Effect.mapError(errorFrom(resource)),
  )
