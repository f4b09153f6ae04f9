/**
 * The schema version of exchanges, queues and headers. RabbitMQ stores no metadata, but it compares the arguments of a
 * queue with the declared ones and reports the difference: the version is the length limit of an empty queue. The first
 * process to declare it writes it. A broker without this queue has version 1.
 *
 * A version with another layout migrates, deletes this queue and declares it with its own number.
 */
import * as StoreVersion from "@armoricore/domain/StoreVersion";
import { Effect } from "effect";
import { queues } from "./RabbitNames.ts";
const schemaVersion = 1;
const resource = `queue ${queues.schema}`;
/** Writes the version, or fails if a newer version set up the broker. */
export const ensure = (connection) => connection
    .withChannel(resource, (channel) => channel.queueDeclare({
    queue: queues.schema,
    durable: true,
    arguments: { "x-queue-type": "quorum", "x-max-length": schemaVersion },
}))
    .pipe(Effect.as(`${resource}: schema ${schemaVersion}`), Effect.mapError((error) => {
    const found = /'x-max-length'.*current is \D*(\d+)/.exec(error.message)?.[1];
    return (StoreVersion.newerVersionError("set of queues on RabbitMQ", Number(found ?? schemaVersion), schemaVersion) ??
        error);
}));
