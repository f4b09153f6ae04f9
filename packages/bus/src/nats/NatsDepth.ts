/** How much a durable consumer has before it, and how old the oldest of it is. */
import { Clock, Effect } from "effect"
import type { JetStreamManager, NatsConnection as Client } from "nats"
import type { ConsumerDepth, ConsumerOptions } from "../EventBus.ts"
import { pattern } from "../Subjects.ts"
import * as NatsDirect from "./NatsDirect.ts"
import { attempt, type NatsFailure } from "./NatsErrors.ts"

export const depth = (
  client: Client,
  manager: JetStreamManager,
  stream: string,
  options: Pick<ConsumerOptions, "name" | "from">,
): Effect.Effect<ConsumerDepth, NatsFailure> =>
  Effect.gen(function* () {
    const resource = `consumer ${options.name}`
    const info = yield* attempt(resource, () => manager.consumers.info(stream, options.name))
    const counts = { waiting: info.num_pending, inFlight: info.num_ack_pending }
    if (counts.waiting + counts.inFlight === 0) return { ...counts, oldestMillis: 0 }
    const oldest = yield* NatsDirect.get(client, stream, {
      seq: info.ack_floor.stream_seq + 1,
      next_by_subj: pattern(options.from),
    })
    const now = yield* Clock.currentTimeMillis
    return { ...counts, oldestMillis: oldest === undefined ? 0 : Math.max(0, now - oldest.stored.arrivedAt) }
  })
