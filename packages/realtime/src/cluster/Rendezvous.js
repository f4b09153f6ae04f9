/**
 * Rendezvous hashing (highest random weight): chooses the node that owns a key, for example a user's rate limit. Nodes that
 * see the same members choose the same owner, and a node that joins or leaves moves only the keys that it owns.
 */
/** `nodes` must not be empty. */
export const ownerOf = (key, nodes) => {
    let best = "";
    let highest = -1;
    for (const node of nodes) {
        const weight = hash(`${key}\n${node}`);
        if (weight > highest || (weight === highest && node > best)) {
            best = node;
            highest = weight;
        }
    }
    return best;
};
/** FNV-1a with a final mixing step, since names differ in few characters. */
const hash = (text) => {
    let value = 0x811c9dc5;
    for (let index = 0; index < text.length; index++)
        value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
    value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
    value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
    return (value ^ (value >>> 16)) >>> 0;
};
