import { Effect, Latch, Queue } from "effect";
import { Subscribers } from "../Subscribers.ts";
const channel = "armoricore_history";
/** PostgreSQL's limit is below 8,000 bytes. */
const maxPayload = 7_900;
export const make = Effect.fnUntraced(function* (sql, read) {
    const scope = yield* Effect.scope;
    const subscribers = new Subscribers();
    const isListening = yield* Latch.make(false);
    const dispatch = Effect.fnUntraced(function* (payload) {
        const [room = "", number = "", id, encoded] = payload.split(" ");
        if (!subscribers.has(room))
            return;
        const seq = Number(number);
        const whole = id !== undefined && encoded !== undefined;
        const item = whole ? { seq, id, body: Buffer.from(encoded, "base64") } : yield* read(room, seq);
        // A room's `seq` has no gaps. A deleted item is not sent: the next one's `previousSeq` shows it.
        if (item !== undefined)
            subscribers.publish(room, { item, previousSeq: seq - 1 });
    });
    const session = Effect.scoped(Effect.gen(function* () {
        const notifications = yield* sql.listen(channel);
        isListening.openUnsafe();
        // Everything before is a gap; at the first connection there is no subscriber that could miss anything.
        subscribers.notifyGap();
        yield* Effect.forever(Effect.flatMap(Queue.take(notifications), ({ payload }) => dispatch(payload ?? "")));
    })).pipe(Effect.ensuring(Effect.sync(() => isListening.closeUnsafe())), Effect.catch((error) => Effect.logDebug("LISTEN for history notifications failed; retrying", error)), Effect.andThen(Effect.sleep("1 second")));
    const start = yield* Effect.cached(Effect.forkIn(Effect.forever(session), scope));
    return {
        subscribe: (room, onAppend, onGap) => start.pipe(Effect.andThen(subscribers.add(room, onAppend, onGap)), 
        // While the server is unreachable; reported as a gap after the reconnect.
        Effect.andThen(Effect.timeoutOption(isListening.await, "3 seconds")), Effect.asVoid),
        notify: (room, { seq, id, body }) => {
            const short = `${room} ${seq}`;
            const whole = `${short} ${id} ${Buffer.from(body).toString("base64")}`;
            return sql
                .notify(channel, whole.length <= maxPayload ? whole : short)
                .pipe(Effect.catch((error) => Effect.logDebug("an item was stored, but other processes were not notified", error)));
        },
    };
});
