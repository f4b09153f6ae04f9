/**
 * Reads a room's items through a temporary consumer. In a cluster the consumer may read from a replica that is slightly
 * behind: the last item is therefore read from the stream's leader.
 */
import { TransientError } from "@armoricore/domain/Errors"
import type * as DirectGet from "@armoricore/nats/DirectGet"
import { natsRequest, errorFrom, type NatsRequestError } from "@armoricore/nats/NatsErrors"
import { Effect, Exit } from "effect"
import {
  AckPolicy,
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type MsgRequest,
  nanos,
  type StoredMsg,
} from "nats"
import type { HistoryItem } from "../History.ts"
import { isMessageNotFound, streamName, subjectOf } from "./NatsHistoryStream.ts"

const resource = `stream ${streamName}`

/** The server deletes the consumer if the reader disappears. */
const inactiveThreshold = nanos(10_000)

interface JetStreamHandles {
  readonly js: JetStreamClient
  readonly manager: JetStreamManager
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

/** The latest `limit` items at or after `from`, ascending, together with the leader's last one. */
export const readConsistent = Effect.fnUntraced(function* (
  nats: JetStreamHandles,
  room: string,
  from: number,
  limit: number,
) {
  for (let attempts = 0; attempts < 20; attempts++) {
    const last = yield* getMessage(nats, { last_by_subj: subjectOf(room) })
    if (last === undefined || last.seq < from) return []
    const items = yield* readLatest(nats, room, from, limit)
    if ((items.at(-1)?.seq ?? 0) >= last.seq) return items
    yield* Effect.sleep(25)
  }
  return yield* new TransientError({
    dependency: "bus",
    code: "unavailable",
    message: `A replica of the ${resource} lags behind its leader; retry`,
  })
})

/** The latest `limit` items at or after `from`, ascending. */
export const readLatest = ({ js, manager }: JetStreamHandles, room: string, from: number, limit: number) =>
  Effect.acquireUseRelease(
    natsRequest(resource, () =>
      manager.consumers.add(streamName, {
        filter_subject: subjectOf(room),
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: from,
        ack_policy: AckPolicy.None,
        inactive_threshold: inactiveThreshold,
        mem_storage: true,
        num_replicas: 1,
      }),
    ),
    ({ name, num_pending: count }) =>
      natsRequest(resource, async () => {
        const items: Array<HistoryItem> = []
        if (count === 0) return items
        const consumer = await js.consumers.get(streamName, name)
        while (items.length < count) {
          const before = items.length
          for await (const message of await consumer.fetch({ max_messages: count - before, expires: 2_000 })) {
            const id = (message.headers?.get("Nats-Msg-Id") ?? "").slice(room.length + 1)
            items.push({ seq: message.seq, id, body: message.data })
            if (items.length === count) break
          }
          // Removed or deleted since they were counted.
          if (items.length === before) break
        }
        return items.slice(-limit)
      }),
    ({ name }, exit) =>
      // After an interrupted read the server deletes the consumer.
      Exit.isSuccess(exit)
        ? Effect.ignore(natsRequest(resource, () => manager.consumers.delete(streamName, name)))
        : Effect.void,
  )
