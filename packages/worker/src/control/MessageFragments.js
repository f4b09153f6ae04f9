/**
 * Splits messages between nodes that are larger than the bus accepts (1 MiB): each fragment is the line
 * `~<id> <index> <count>\n` and a piece of the message. Fragments of one message arrive in order, from one node; a message
 * that lost a fragment is discarded.
 */
const maxFragmentBytes = 512 * 1024;
/** Incomplete messages of all nodes together. */
const maxIncomplete = 64;
const fragmentMarker = 0x7e;
const newline = 0x0a;
/** Each `id` must be used only once. */
export const fragment = (id, text) => {
    const bytes = Buffer.from(text);
    if (bytes.length <= maxFragmentBytes)
        return [bytes];
    const count = Math.ceil(bytes.length / maxFragmentBytes);
    return Array.from({ length: count }, (_, index) => Buffer.concat([
        Buffer.from(`~${id} ${index} ${count}\n`),
        bytes.subarray(index * maxFragmentBytes, (index + 1) * maxFragmentBytes),
    ]));
};
export class Reassembler {
    #incomplete = new Map();
    /** The complete message; `undefined` while fragments are missing, or if one was lost. */
    add(body) {
        if (body[0] !== fragmentMarker)
            return Buffer.from(body).toString();
        const end = body.indexOf(newline);
        const [id = "", index = "", count = ""] = Buffer.from(body.subarray(1, end)).toString().split(" ");
        const pieces = this.#incomplete.get(id) ?? [];
        this.#incomplete.delete(id);
        if (Number(index) !== pieces.length)
            return undefined;
        pieces.push(body.subarray(end + 1));
        if (pieces.length === Number(count))
            return Buffer.concat(pieces).toString();
        this.#incomplete.set(id, pieces);
        // A message that received no fragment for the longest time has probably lost one.
        const [oldest] = this.#incomplete.keys();
        if (this.#incomplete.size > maxIncomplete && oldest !== undefined)
            this.#incomplete.delete(oldest);
        return undefined;
    }
}
