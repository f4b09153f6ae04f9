/**
 * The names of change logs. The change log of a topic is a room of the history of its own: each edit, removal and new count of
 * reactions of the topic's messages is one entry, with the state of the message after the change. Its position is `rev`, as
 * `seq` is that of messages. Clients that were away read it; clients that are there receive each entry as it is appended.
 */
const prefix = "changes/";
/** The change log of a topic. No topic begins with `changes/`. */
export const roomOf = (topic) => `${prefix}${topic}`;
/** The topic of a change log; `undefined` for a room of messages. */
export const topicOf = (room) => room.startsWith(prefix) ? room.slice(prefix.length) : undefined;
/** Whether the messages of a topic can change. The events of a user cannot. */
export const hasChanges = (topic) => !topic.startsWith("user:");
/** Only the last change of each kind to each message, and no change before its removal. The order stays. */
export const collapse = (changes) => {
    const seen = new Set();
    const latest = [];
    for (const change of changes.toReversed()) {
        const { id } = change.payload;
        const key = `${change.event} ${String(id)}`;
        if (seen.has(id) || seen.has(key))
            continue;
        seen.add(isRemoval(change.event) ? id : key);
        latest.push(change);
    }
    return latest.reverse();
};
const isRemoval = (event) => event.endsWith("_removed");
