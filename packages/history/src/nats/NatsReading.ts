/** Reads a room's items through a consumer that lives as long as the reading. */
import { attempt } from "@armoricore/bus/nats/NatsErrors"
import { Effect, Exit } from "effect"
import { AckPolicy, DeliverPolicy, type JetStreamClient, type JetStreamManager, nanos } from "nats"
import type { Item } from "../History.ts"
import { streamName, subjectOf } from "./NatsHistoryStream.ts"

const resource = `stream ${streamName}`

/** The server forgets a consumer by itself when the reader is gone. */
const forgottenAfter = nanos(10_000)

/** The latest `limit` items at or behind `from`, ascending. */
export const latest = (
  { js, manager }: { readonly js: JetStreamClient; readonly manager: JetStreamManager },
  room: string,
  from: number,
  limit: number,
) =>
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
