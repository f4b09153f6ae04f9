/**
 * The topic of the direct messages of two users: `dm:{a}:{b}` with their ids in ascending order of UTF-16 code units, so that
 * both use the same topic. In an id, `%` is written as `%25` and `:` as `%3A`; all other characters stand as they are.
 */
const prefix = "dm:";
const escapeId = (id) => id.replaceAll("%", "%25").replaceAll(":", "%3A");
const unescapeId = (text) => text.replaceAll(/%3A/gi, ":").replaceAll("%25", "%");
export const directTopic = (one, other) => {
    const [first, second] = one < other ? [one, other] : [other, one];
    return `${prefix}${escapeId(first)}:${escapeId(second)}`;
};
/** The two ids; `undefined` for a topic of another form. */
const idsIn = (topic) => {
    if (!topic.startsWith(prefix))
        return undefined;
    const [first = "", second = "", ...rest] = topic.slice(prefix.length).split(":");
    return first === "" || second === "" || rest.length > 0 ? undefined : [unescapeId(first), unescapeId(second)];
};
/** The two users; `undefined` unless {@link directTopic} returns this topic for them. */
export const usersOfDirectTopic = (topic) => {
    const ids = idsIn(topic);
    return ids !== undefined && directTopic(...ids) === topic ? ids : undefined;
};
export const isDirectTopic = (text) => usersOfDirectTopic(text) !== undefined;
