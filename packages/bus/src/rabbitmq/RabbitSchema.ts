/**
 * The number of the layout of exchanges, queues and headers. RabbitMQ keeps no words about anything, but it compares the
 * arguments of a queue with those that are asked for, and says what they are: an empty queue whose limit is the number.
 * Whoever declares it first writes it, for everyone after. A broker without it was set up before there were numbers, and
 * has the first layout.
 *
 * A version with another layout deletes this queue and declares it with its own number, once it took the older one over.
 */
import * as StoreVersion from "@armoricore/domain/StoreVersion"
import { Effect } from "effect"
import type { RabbitConnection } from "./RabbitConnection.ts"
import { queues } from "./RabbitNames.ts"

const schemaVersion = 1

const resource = `queue ${queues.schema}`

/** Writes it, or refuses what a newer version set up. */
export const ensure = (connection: RabbitConnection) =>
  connection
    .withChannel(resource, (channel) =>
      channel.queueDeclare({
        queue: queues.schema,
        durable: true,
        arguments: { "x-queue-type": "quorum", "x-max-length": schemaVersion },
      }),
    )
    .pipe(
      Effect.as(`${resource}: schema ${schemaVersion}`),
      Effect.mapError((error) => {
        const found = /'x-max-length'.*current is \D*(\d+)/.exec(error.message)?.[1]
        return (
          StoreVersion.newerVersionError("set of queues on RabbitMQ", Number(found ?? schemaVersion), schemaVersion) ??
          error
        )
      }),
    )
