/** The number of pending messages of a durable consumer, and the age of the oldest. */
import { Clock, Effect } from "effect";
import { pattern } from "../Subjects.ts";
import * as DirectGet from "@armoricore/nats/DirectGet";
import { natsRequest } from "@armoricore/nats/NatsErrors";
export const depth = (client, manager, stream, options) => Effect.gen(function* () {
    const resource = `consumer ${options.name}`;
    const info = yield* natsRequest(resource, () => manager.consumers.info(stream, options.name));
    const counts = { pending: info.num_pending, inFlight: info.num_ack_pending };
    if (counts.pending + counts.inFlight === 0)
        return { ...counts, oldestAgeMillis: 0 };
    const oldest = yield* DirectGet.get(client, stream, {
        seq: info.ack_floor.stream_seq + 1,
        next_by_subj: pattern(options.from),
    });
    const now = yield* Clock.currentTimeMillis;
    return { ...counts, oldestAgeMillis: oldest === undefined ? 0 : Math.max(0, now - oldest.stored.arrivedAt) };
});
