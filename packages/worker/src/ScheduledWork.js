/**
 * Work for later: stored in the state until its time, then published. Unlike a redelivery by the bus, it holds neither a
 * slot nor an unacknowledged message, so thousands can wait for hours.
 *
 * Every process of the service looks for due work. Two may publish the same entry: both use its message id, so that the
 * bus or the ledger drops the second. A process that dies after it published and before it removed the entry leads to
 * the same.
 */
import { work } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { deriveId } from "@armoricore/domain/DeterministicId";
import * as Collection from "@armoricore/state/Collection";
import { Clock, Context, Duration, Effect, Schema } from "effect";
const ScheduledMessage = Schema.Struct({ kind: Schema.String, id: Schema.String, body: Schema.String });
/** Under `{service}.{time, epoch milliseconds in 15 digits}.{message id}`: keys are in the order of their time. */
export const scheduledMessages = {
    bucket: { name: "scheduled", maxAge: "never" },
    schema: ScheduledMessage,
};
/** How often each process looks for due work. */
export const ScheduledWorkInterval = Context.Reference("@armoricore/worker/ScheduledWorkInterval", {
    defaultValue: () => Duration.seconds(15),
});
const pageSize = 100;
export const make = (service) => Effect.gen(function* () {
    const bus = yield* EventBus;
    const interval = yield* ScheduledWorkInterval;
    const messages = yield* Collection.make(scheduledMessages);
    const prefix = `${service}.`;
    const publish = Effect.fnUntraced(function* ({ key, revision, value }) {
        yield* bus.publish({
            address: work(service, value.kind),
            id: value.id,
            body: new TextEncoder().encode(value.body),
        });
        // A conflict means that the entry was written again meanwhile, for the same message.
        yield* Effect.catchTag(messages.remove(key, revision), "Conflict", () => Effect.void);
    });
    const publishPage = Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis;
        const page = yield* messages.list({ prefix, limit: pageSize });
        const due = page.filter(({ key }) => timeOf(key) <= now);
        yield* Effect.forEach(due, publish, { concurrency: 16, discard: true });
        return due.length === pageSize;
    });
    const publishDue = Effect.flatMap(publishPage, (isFull) => isFull ? publishDue : Effect.void);
    return {
        schedule: (kind, discriminator, at, envelope) => Effect.asVoid(Effect.suspend(() => {
            const id = deriveId("scheduled", service, kind, discriminator);
            const key = `${prefix}${String(Math.max(0, Math.ceil(at))).padStart(timeDigits, "0")}.${id}`;
            return messages.put(key, { kind, id, body: JSON.stringify(envelope) });
        })),
        publishDue,
        run: publishDue.pipe(Effect.catch((error) => Effect.logWarning(`Scheduled work was not published yet: ${error.message}`)), Effect.andThen(Effect.sleep(interval)), Effect.forever),
    };
});
const timeDigits = 15;
const timeOf = (key) => Number(key.split(".")[1]);
