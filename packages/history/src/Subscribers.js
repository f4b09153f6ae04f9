/**
 * The subscribers of each room in this process, for adapters. An exception of a subscriber is a bug and is not caught.
 */
import { Effect } from "effect";
export class Subscribers {
    #rooms = new Map();
    /** Until the scope closes. */
    add(room, onAppend, onGap) {
        const follower = { onAppend, onGap };
        return Effect.asVoid(Effect.acquireRelease(Effect.sync(() => {
            const followers = this.#rooms.get(room);
            if (followers === undefined)
                this.#rooms.set(room, new Set([follower]));
            else
                followers.add(follower);
        }), () => Effect.sync(() => {
            const followers = this.#rooms.get(room);
            if (followers?.delete(follower) === true && followers.size === 0)
                this.#rooms.delete(room);
        })));
    }
    has(room) {
        return this.#rooms.has(room);
    }
    publish(room, added) {
        for (const { onAppend } of this.#rooms.get(room) ?? [])
            onAppend(added);
    }
    notifyGap() {
        for (const followers of this.#rooms.values())
            for (const { onGap } of followers)
                onGap();
    }
}
