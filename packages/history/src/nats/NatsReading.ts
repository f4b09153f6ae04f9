/**
 * Reads a room's items through a consumer that lives as long as the reading. In a cluster it reads from the copy of any
 * member, which may be a moment behind: the stream's leader is asked what the last one is.
 */
import { TransientError } from "@armoricore/domain/Errors"
import type * as NatsDirect from "@armoricore/bus/nats/NatsDirect"
import { attempt, failure, type NatsFailure } from "@armoricore/bus/nats/NatsErrors"
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
import type { Item } from "../History.ts"
import { isRemoved, streamName, subjectOf } from "./NatsHistoryStream.ts"

const resource = `stream ${streamName}`

/** The server forgets a consumer by itself when the reader is gone. */
const forgottenAfter = nanos(10_000)

interface Nats {
  readonly js: JetStreamClient
  readonly manager: JetStreamManager
}

/** As the leader has it. */
export const one = ({ manager }: Nats, query: NatsDirect.Query): Effect.Effect<StoredMsg | undefined, NatsFailure> =>
  Effect.tryPromise({
    // The server takes every query here that it takes for a direct get; the client's type of this one is older.
    try: () => manager.streams.getMessage(streamName, query as MsgRequest),
    catch: (cause) => cause,
  }).pipe(
    Effect.catchIf(isRemoved, () => Effect.succeed(undefined)),
    Effect.mapError(failure(resource)),
  )

/** The latest `limit` items at or behind `from`, ascending, with the last one that the leader has. */
export const whole = Effect.fnUntraced(function* (nats: Nats, room: string, from: number, limit: number) {
  for (let tries = 0; tries < 20; tries++) {
    const last = yield* one(nats, { last_by_subj: subjectOf(room) })
    if (last === undefined || last.seq < from) return []
    const items = yield* latest(nats, room, from, limit)
    if ((items.at(-1)?.seq ?? 0) >= last.seq) return items
    yield* Effect.sleep(25)
  }
  return yield* new TransientError({
    dependency: "bus",
    code: "unavailable",
    message: `A copy of the ${resource} is behind the others just now`,
  })
})

/** The latest `limit` items at or behind `from`, ascending. */
export const latest = ({ js, manager }: Nats, room: string, from: number, limit: number) =>
  Effect.acquireUseRelease(
    attempt(resource, () =>
      manager.consumers.add(streamName, {
        filter_subject: subjectOf(room),
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: from,
        ack_policy: AckPolicy.None,
        inactive_threshold: forgottenAfter,
        mem_storage: true,
        num_replicas: 1,
      }),
    ),
    ({ name, num_pending: count }) =>
      attempt(resource, async () => {
        const items: Array<Item> = []
        if (count === 0) return items
        const consumer = await js.consumers.get(streamName, name)
        while (items.length < count) {
          const before = items.length
          for await (const message of await consumer.fetch({ max_messages: count - before, expires: 2_000 })) {
            const id = (message.headers?.get("Nats-Msg-Id") ?? "").slice(room.length + 1)
            items.push({ seq: message.seq, id, body: message.data })
            if (items.length === count) break
          }
          // Removed, or dropped, since they were counted.
          if (items.length === before) break
        }
        return items.slice(-limit)
      }),
    ({ name }, exit) =>
      // A reading that was given up leaves its consumer to the server.
      Exit.isSuccess(exit)
        ? Effect.ignore(attempt(resource, () => manager.consumers.delete(streamName, name)))
        : Effect.void,
  )
