/** The requests from which the reads of the history in JetStream are made. */
import type * as DirectGet from "@armoricore/nats/DirectGet"
import { errorFrom, natsRequest, type NatsRequestError } from "@armoricore/nats/NatsErrors"
import { Effect, Exit } from "effect"
import {
  AckPolicy,
  type ConsumerInfo,
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type MsgRequest,
  nanos,
  type StoredMsg,
} from "nats"
import type { HistoryItem } from "../History.ts"
import { isMessageNotFound, itemIdOf, streamName, subjectOf } from "./NatsHistoryStream.ts"

export const resource = `stream ${streamName}`

/** The server deletes the consumer if the reader disappears. */
const inactiveThreshold = nanos(10_000)

export interface JetStreamHandles {
  readonly js: JetStreamClient
  readonly manager: JetStreamManager
  /** The server counts so many messages in the time of one request for an item. */
  readonly maxCountedPerItem: number
}

/** As stored by the leader. */
export const getMessage = (
  { manager }: JetStreamHandles,
  query: DirectGet.Query,
): Effect.Effect<StoredMsg | undefined, NatsRequestError> =>
  Effect.tryPromise({
    // The server accepts every direct-get query here; the client's type lacks this one.
    try: () => manager.streams.getMessage(streamName, query as MsgRequest),
    catch: (cause) => cause,
  }).pipe(
    Effect.catchIf(isMessageNotFound, () => Effect.succeed(undefined)),
    Effect.mapError(errorFrom(resource)),
  )

export const toItem = ({ data, header, seq }: StoredMsg): HistoryItem => ({
  seq,
  id: itemIdOf(header.get("Nats-Msg-Id")),
  body: data,
})

/** Messages of one fetch. */
export const maxFetch = 128

export const withConsumer = <A, E>(
  { manager }: JetStreamHandles,
  subject: string,
  from: number,
  headersOnly: boolean,
  use: (consumer: ConsumerInfo) => Effect.Effect<A, E>,
) =>
  Effect.acquireUseRelease(
    natsRequest(resource, () =>
      manager.consumers.add(streamName, {
        filter_subject: subject,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: Math.max(1, from),
        ack_policy: AckPolicy.None,
        inactive_threshold: inactiveThreshold,
        mem_storage: true,
        num_replicas: 1,
        headers_only: headersOnly,
      }),
    ),
    use,
    ({ name }, exit) =>
      // After an interrupted read the server deletes the consumer.
      Exit.isSuccess(exit)
        ? Effect.ignore(natsRequest(resource, () => manager.consumers.delete(streamName, name)))
        : Effect.void,
  )

/** The number of the room's items from a `seq` on. */
export const countFrom = (nats: JetStreamHandles, room: string, from: number) =>
  withConsumer(nats, subjectOf(room), from, true, ({ num_pending: count }) => Effect.succeed(count))
