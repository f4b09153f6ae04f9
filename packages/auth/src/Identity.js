/**
 * The identity that a token proves. Armoricore checks these roles: `publisher` (may POST events), `operator` (sees
 * everything), `moderator` (edits and deletes messages of others) and `guest` (may join and read). All other users have no
 * special rights.
 */
/** The roles that Armoricore checks. Tokens of a backend may contain others. */
export const builtInRoles = ["publisher", "operator", "moderator", "guest"];
export const hasRole = (identity, role) => identity.roles.includes(role);
/** Whether the token's `channels` claim allows this topic. `*` matches any text. */
export const allowsTopic = (identity, topic) => identity.channels === undefined || identity.channels.some((pattern) => matchesTopic(pattern, topic));
/** `*` in the pattern matches any text. Compares literal pieces, so that a claim never becomes a regular expression. */
export const matchesTopic = (pattern, topic) => {
    const [head = "", ...rest] = pattern.split("*");
    const tail = rest.pop();
    if (tail === undefined)
        return pattern === topic;
    if (!topic.startsWith(head) || !topic.endsWith(tail) || topic.length < head.length + tail.length)
        return false;
    let position = head.length;
    const end = topic.length - tail.length;
    for (const piece of rest) {
        const index = topic.indexOf(piece, position);
        if (index === -1 || index + piece.length > end)
            return false;
        position = index + piece.length;
    }
    return true;
};
