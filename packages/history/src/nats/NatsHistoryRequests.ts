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

/** On a message that is no item; see `NatsRemoval`. */
export const markHeader = "Armoricore-Mark"

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

/**
 * The `seq` of the last item of a room; undefined in an empty one. After the removal of a subject's last message, a server before
 * 2.10.25 finds no last message until the next one is published. Then it is searched: the next message is known for any `seq`.
 */
export const lastSeqOf = Effect.fnUntraced(function* (nats: JetStreamHandles, room: string) {
  const last = yield* getMessage(nats, { last_by_subj: subjectOf(room) })
  if (last !== undefined) return last.seq
  const next = (seq: number) => getMessage(nats, { seq, next_by_subj: subjectOf(room) })
  let found = (yield* next(1))?.seq
  if (found === undefined) return undefined
  const { state } = yield* natsRequest(resource, () => nats.manager.streams.info(streamName))
  /** No item is at this `seq` or later. */
  let end = state.last_seq + 1
  while (found + 1 < end) {
    const middle: number = Math.floor((found + 1 + end) / 2)
    const later: StoredMsg | undefined = yield* next(middle)
    if (later === undefined) end = middle
    else found = later.seq
  }
  return found
})

export const toItem = ({ data, header, seq }: StoredMsg): HistoryItem => ({
  seq,
  id: itemIdOf(header.get("Nats-Msg-Id")),
  body: data,
})

/** Messages of one fetch. */
export const maxFetch = 128

/** Reads the messages of a subject, or all of them. */
export const withConsumer = <A, E>(
  { manager }: JetStreamHandles,
  subject: string | undefined,
  from: number,
  headersOnly: boolean,
  use: (consumer: ConsumerInfo) => Effect.Effect<A, E>,
) =>
  Effect.acquireUseRelease(
    natsRequest(resource, () =>
      manager.consumers.add(streamName, {
        ...(subject === undefined ? {} : { filter_subject: subject }),
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
