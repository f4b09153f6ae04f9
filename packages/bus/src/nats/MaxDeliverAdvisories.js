import { Effect, Schedule, Schema } from "effect";
import { DiscardPolicy, RetentionPolicy, nanos } from "nats";
import * as ConsumerLoop from "../ConsumerLoop.ts";
import * as DirectGet from "@armoricore/nats/DirectGet";
import { natsRequest } from "@armoricore/nats/NatsErrors";
export const streamName = "ARMORICORE_ADVISORY";
const subjectPrefix = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.";
/** The streams whose consumers are checked. */
export const streamConfig = (streams) => ({
    name: streamName,
    subjects: streams.map((name) => `${subjectPrefix}${name}.>`),
    retention: RetentionPolicy.Limits,
    max_age: nanos(7 * 86_400_000),
    max_bytes: 16 * 1024 ** 2,
    discard: DiscardPolicy.Old,
});
const Advisory = Schema.fromJsonString(Schema.Struct({ stream_seq: Schema.Int }));
const decode = Schema.decodeUnknownEffect(Advisory);
/** Checks periodically until the scope closes. */
export const poll = Effect.fnUntraced(function* (parameters) {
    const { options, source } = parameters;
    const { onMaxDeliveries } = options;
    if (onMaxDeliveries === undefined)
        return;
    const wanted = `${subjectPrefix}${source}.${options.name}`;
    const unconfirmed = new Set();
    let done = 0;
    const pollOnce = Effect.gen(function* () {
        for (;;) {
            const found = yield* DirectGet.get(parameters.client, streamName, { seq: done + 1, next_by_subj: wanted });
            if (found === undefined)
                return;
            yield* handleAdvisory({ ...parameters, unconfirmed }, onMaxDeliveries, found);
            done = found.sequence;
        }
    });
    yield* Effect.forkScoped(pollOnce.pipe(Effect.catch((error) => Effect.logDebug(`MAX_DELIVERIES advisories are not read: ${error.message}`)), Effect.repeat(Schedule.spaced(pollInterval))));
});
const pollInterval = "10 seconds";
const handleAdvisory = Effect.fnUntraced(function* ({ client, manager, options, publish, source, unconfirmed }, exhausted, advisory) {
    const about = yield* Effect.result(decode(new TextDecoder().decode(advisory.stored.body)));
    const lost = about._tag === "Failure" ? undefined : yield* DirectGet.get(client, source, { seq: about.success.stream_seq });
    if (lost !== undefined) {
        const letter = yield* exhausted(lost.stored);
        const id = ConsumerLoop.deadLetterIdOf(options, lost.sequence, lost.stored.arrivedAt);
        yield* ConsumerLoop.storeDeadLetter(publish, id, letter, unconfirmed);
        // A work queue would store the message for ever; other streams still need it for their other consumers.
        if (options.from !== "all-events" && options.from.channel === "work") {
            yield* Effect.ignore(natsRequest(`stream ${source}`, () => manager.streams.deleteMessage(source, lost.sequence)));
        }
    }
    // Without the permission to delete, the next process finds the advisory again and creates the same dead letter.
    yield* Effect.ignore(natsRequest(`stream ${streamName}`, () => manager.streams.deleteMessage(streamName, advisory.sequence)));
});
