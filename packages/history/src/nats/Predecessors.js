/**
 * Finds the `seq` of a room's previous item for each append, so that the stored item can carry it. When retention has
 * deleted everything before an item, its carried predecessor shows which readers missed something.
 *
 * The server confirms the predecessor with `Nats-Expected-Last-Subject-Sequence`, so concurrent appends of other
 * processes cannot make it wrong. Only one append of a room at a time can know its predecessor; concurrent ones carry none.
 */
import { Deferred, Effect } from "effect";
/** Enough for the active rooms of one process. */
const maxRooms = 10_000;
export class Predecessors {
    /** The latest known `seq` of a room, the most recently used room last. */
    #last = new Map();
    #running = new Map();
    /** The room's item `seq` exists. */
    note(room, seq) {
        const last = Math.max(seq, this.#last.get(room) ?? 0);
        this.#last.delete(room);
        this.#last.set(room, last);
        const [oldest] = this.#last.keys();
        if (this.#last.size > maxRooms && oldest !== undefined)
            this.#last.delete(oldest);
    }
    /** The next append reads the predecessor from the stream. */
    forget(room) {
        this.#last.delete(room);
    }
    /**
     * Runs `append` with the room's previous `seq`: 0 if nothing of the room is stored, `undefined` if another append of the
     * room is running. `readLast` reads the last stored `seq`.
     */
    use(room, readLast, append) {
        return Effect.suspend(() => {
            const running = this.#running.get(room);
            if (running === undefined)
                return this.#useFirst(room, readLast, append);
            running.count++;
            // After the first one, whose predecessor is read.
            const later = Effect.andThen(Deferred.await(running.isRead), Effect.andThen(Effect.yieldNow, append(undefined)));
            return Effect.ensuring(later, this.#end(room, running));
        });
    }
    #useFirst(room, readLast, append) {
        const running = { count: 1, isRead: Deferred.makeUnsafe() };
        this.#running.set(room, running);
        const last = this.#last.get(room);
        const setRead = Deferred.succeed(running.isRead, undefined);
        return (last === undefined ? readLast : Effect.succeed(last)).pipe(Effect.ensuring(setRead), Effect.flatMap(append), Effect.ensuring(this.#end(room, running)));
    }
    #end(room, running) {
        return Effect.sync(() => {
            if (--running.count === 0)
                this.#running.delete(room);
        });
    }
}
