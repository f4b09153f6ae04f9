/**
 * The history port: the ordered log of a room, for clients that return. A room is any topic with a history: a chat
 * room, a stream's comments, the events of one user.
 *
 * - `seq` increases within its room, with or without gaps, and is never reused.
 * - An `id` is unique in a room: appending it again returns the item that was appended first. Every adapter recognises
 *   an id for at least {@link dedupWindow}, most as long as the item is stored.
 * - A page continues from a `seq` in either direction. Its cost does not depend on the number of items before or after it.
 * - `replace` changes the body of an item in its place: later reads have the new body, with the same `seq`. Subscribers receive
 *   nothing; an application that edits items appends a notice to a room of its own.
 * - `complete: false` means that an item between `after` and the page is no longer stored (retention, a lost store). Items
 *   that moderation removed do not count.
 *
 * Every adapter passes the behaviour suite in `test/support`.
 */
import { PermanentError, TransientError } from "@armoricore/domain/Errors";
import { Context, Duration, Effect } from "effect";
export class History extends Context.Service()("@armoricore/history/History") {
}
/** More attempts than concurrent writers of one item. */
const maxUpdateAttempts = 64;
/**
 * Changes the body of an item: reads, calls `change`, and writes unless another process wrote in between; then it reads again.
 * `change` may run several times, and returns `undefined` to leave the item as it is. Returns the item as it is stored
 * afterwards, or `undefined` if no item has this id.
 */
export const update = (history, room, id, change) => Effect.gen(function* () {
    for (let attempts = 0; attempts < maxUpdateAttempts; attempts++) {
        const item = yield* history.get(room, id);
        if (item === undefined)
            return undefined;
        const body = yield* change(item);
        if (body === undefined)
            return item;
        if (yield* history.replace(room, id, item.body, body))
            return { ...item, body };
    }
    return yield* new TransientError({
        dependency: "history",
        code: "write_conflict",
        message: `the item ${id} of ${room} changes too often; try again`,
    });
});
/** How long an id is recognised at least. */
export const dedupWindow = Duration.minutes(5);
export const maxBodyBytes = 262_144;
/** A room is a topic: at most 300 characters without white space. An id has no spaces and at most 200 characters. */
export const check = (room, id = "-", body) => {
    const message = /^[^\s\p{Cc}\p{Cs}]{1,300}$/u.test(room)
        ? /^[\x21-\x7e]{1,200}$/.test(id)
            ? body !== undefined && body.byteLength > maxBodyBytes
                ? `a history item has at most ${maxBodyBytes} bytes, this one has ${body.byteLength}`
                : undefined
            : "the id of a history item has 1 to 200 ASCII characters and no spaces"
        : "the name of a room has 1 to 300 characters and no spaces";
    return message === undefined ? Effect.void : Effect.fail(new PermanentError({ code: "invalid_item", message }));
};
