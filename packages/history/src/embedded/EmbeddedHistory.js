/** The history in the embedded engine: durable in the data folder, shared by the processes that share the folder. */
import { EmbeddedEngine } from "@armoricore/embedded/EmbeddedEngine";
import { Clock, Duration, Effect, Layer, Stream } from "effect";
import { Subscribers } from "../Subscribers.ts";
import { check, History } from "../History.ts";
import { defaults } from "../Retention.ts";
/** Items that a search reads at once. */
const searchPage = 200;
export const layer = (options = {}) => Layer.effect(History, Effect.gen(function* () {
    const engine = yield* EmbeddedEngine;
    const { maxAge, maxPerRoom } = { ...defaults, ...options };
    const history = yield* engine.module({
        name: "history",
        url: new URL(`./HistoryOperations${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url),
        options: { maxAge: Duration.toMillis(maxAge), maxPerRoom },
    });
    const subscribers = new Subscribers();
    // Ends with the layer.
    yield* Effect.forkScoped(Stream.runForEach(Stream.drop(engine.connectedChanges, 1), (connected) => connected ? Effect.sync(() => subscribers.notifyGap()) : Effect.void));
    return {
        append: Effect.fnUntraced(function* (room, id, body) {
            yield* check(room, id, body);
            const now = yield* Clock.currentTimeMillis;
            const stored = yield* history.call("append", { room, id, body, now });
            if (stored.body === null)
                return { _tag: "Removed" };
            return { _tag: "Appended", item: { seq: stored.seq, id, body: stored.body }, fresh: stored.fresh };
        }),
        read: Effect.fnUntraced(function* (room, { after, before, limit, maxBytes }) {
            yield* check(room);
            const now = yield* Clock.currentTimeMillis;
            const { rows, more, complete } = yield* history.call("read", { room, after, before, limit, maxBytes, now });
            return { items: rows, more, complete };
        }),
        subscribe: Effect.fnUntraced(function* (room, onAppend, onGap) {
            yield* check(room);
            yield* subscribers.add(room, () => { }, onGap);
            // The notification that `append` in HistoryOperations emits.
            yield* history.subscribe(`added/${room}`, (_, added) => onAppend(added), {
                exact: true,
            });
        }),
        remove: (room, id) => Effect.andThen(check(room, id), history.call("remove", { room, id })),
        removeMatching: Effect.fnUntraced(function* (text, matches) {
            const removed = [];
            for (let after = 0;;) {
                const found = yield* history.call("find", { text, after, limit: searchPage });
                for (const { body, id, room } of found) {
                    if (matches(body) && (yield* history.call("remove", { room, id })))
                        removed.push({ room, id, body });
                }
                after = found.at(-1)?.row ?? after;
                if (found.length < searchPage)
                    return removed;
            }
        }),
        get: Effect.fnUntraced(function* (room, id) {
            yield* check(room, id);
            return yield* history.call("get", { room, id, now: yield* Clock.currentTimeMillis });
        }),
        replace: (room, id, expected, body) => Effect.andThen(check(room, id, body), history.call("replace", { room, id, expected, body })),
        count: Effect.fnUntraced(function* (room, after, limit) {
            yield* check(room);
            return yield* history.call("count", { room, after, limit, now: yield* Clock.currentTimeMillis });
        }),
        setup: Effect.succeed([`history: embedded, in ${engine.folder}`]),
    };
}));
