const escapeId = (id) => id.replaceAll("%", "%25").replaceAll(":", "%3A");
/** The topic of the direct messages of two users: `dm:{a}:{b}` with their ids in ascending order. */
export const directTopic = (one, other) => {
    const [first, second] = one < other ? [one, other] : [other, one];
    return `dm:${escapeId(first)}:${escapeId(second)}`;
};
