import { Context, Deferred, Effect, Exit, FiberSet, Layer } from "effect";
import { ChannelError } from "../channel/ChannelError.ts";
import * as Throttle from "../pubsub/Throttle.ts";
import * as ChangeLog from "./ChangeLog.ts";
import * as Reactors from "./Reactors.ts";
import { RoomLog } from "./RoomLog.ts";
export class MessageChanges extends Context.Service()("@armoricore/realtime/MessageChanges") {
}
/** At most four times a second for a topic. */
const announceInterval = "250 millis";
/** More notices than concurrent changes of one message. */
const maxNotices = 8;
const tooManyReactions = new ChannelError({ reason: "too_many_reactions" });
export const layer = Layer.effect(MessageChanges, Effect.gen(function* () {
    const roomLog = yield* RoomLog;
    const fork = yield* FiberSet.makeRuntime();
    /** Messages with a running batch, and the reactions of the next one. */
    const queues = new Map();
    /** Messages of a topic whose counts are not announced yet. */
    const changed = new Map();
    const announce = (topic, event, payload, id = crypto.randomUUID()) => roomLog.append(ChangeLog.roomOf(topic), { event, id, payload });
    /** Announces the state of the message until the last notice equals it. */
    const announceState = Effect.fnUntraced(function* (topic, id, toNotice, known) {
        let entry = known ?? (yield* roomLog.get(topic, id));
        for (let notices = 0; notices < maxNotices && entry !== undefined; notices++) {
            const notice = toNotice(entry);
            yield* announce(topic, notice.event, notice.payload);
            const current = yield* roomLog.get(topic, id);
            if (current === undefined || isEqual(toNotice(current).payload, notice.payload))
                return;
            entry = current;
        }
    });
    const countsThrottle = yield* Throttle.make((topic) => Effect.gen(function* () {
        const ids = changed.get(topic) ?? [];
        changed.delete(topic);
        yield* Effect.forEach(ids, (id) => announceState(topic, id, countsNotice), { discard: true });
    }).pipe(Effect.catch((error) => Effect.logWarning(`cannot announce reactions on ${topic}: ${error.message}`))), announceInterval);
    const applyBatch = (topic, id, batch) => Effect.gen(function* () {
        const refused = new Set();
        let isChanged = false;
        const entry = yield* roomLog.change(topic, id, (stored) => {
            const before = stored.reactors ?? {};
            refused.clear();
            const reactors = batch.reduce((current, pending) => {
                const { emoji, isAdded, userId } = pending;
                if (!isAdded)
                    return Reactors.remove(current, emoji, userId);
                const added = Reactors.add(current, emoji, userId);
                if (added !== "full")
                    return added;
                refused.add(pending);
                return current;
            }, before);
            isChanged = reactors !== before;
            return Effect.succeed(isChanged ? { ...stored, reactors } : undefined);
        });
        for (const pending of batch) {
            const state = { counts: Reactors.counts(entry.reactors), own: Reactors.own(entry.reactors, pending.userId) };
            yield* refused.has(pending)
                ? Deferred.fail(pending.done, tooManyReactions)
                : Deferred.succeed(pending.done, state);
        }
        if (!isChanged)
            return;
        const ids = changed.get(topic) ?? new Set();
        changed.set(topic, ids.add(id));
        yield* countsThrottle.trigger(topic);
    });
    const drainQueue = Effect.fnUntraced(function* (key, topic, id) {
        for (;;) {
            const batch = queues.get(key)?.splice(0) ?? [];
            if (batch.length === 0)
                break;
            const exit = yield* Effect.exit(applyBatch(topic, id, batch));
            if (Exit.isFailure(exit)) {
                yield* Effect.forEach(batch, ({ done }) => Deferred.failCause(done, exit.cause), { discard: true });
            }
        }
        queues.delete(key);
    });
    return {
        edit: Effect.fn("MessageChanges.edit")(function* (topic, id, edit) {
            const entry = yield* roomLog.change(topic, id, (stored) => Effect.map(edit({ ...stored.payload }), (payload) => ({ ...stored, payload })));
            yield* announceState(topic, id, editNotice, entry);
            return entry;
        }),
        remove: Effect.fn("MessageChanges.remove")(function* (topic, { event, id, reason }) {
            const isRemoved = yield* roomLog.remove(topic, id);
            yield* announce(topic, event, { id, reason }, `removed:${id}`);
            return isRemoved;
        }),
        react: (topic, id, reaction) => Effect.suspend(() => {
            const pending = { ...reaction, done: Deferred.makeUnsafe() };
            const key = `${topic} ${id}`;
            const queue = queues.get(key);
            if (queue === undefined) {
                queues.set(key, [pending]);
                fork(drainQueue(key, topic, id));
            }
            else
                queue.push(pending);
            return Deferred.await(pending.done);
        }),
    };
}));
/** Reactions have notices of their own. */
const isEqual = (a, b) => JSON.stringify({ ...a, reactions: undefined }) === JSON.stringify({ ...b, reactions: undefined });
const editNotice = ({ payload }) => ({ event: "message_edited", payload });
const countsNotice = ({ payload, reactors }) => ({
    event: "reactions",
    payload: { id: payload["id"], counts: Reactors.counts(reactors) },
});
