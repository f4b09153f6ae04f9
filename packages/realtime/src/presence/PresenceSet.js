const noUsers = new Map();
export class PresenceSet {
    node;
    #onChange;
    #topics = new Map();
    /** The versions of all nodes, this one included. */
    #versions = new Map();
    #refs = 0;
    constructor(node, onChange = () => { }) {
        this.node = node;
        this.#onChange = onChange;
        this.#versions.set(node, 0);
    }
    add(topic, key, fields) {
        const entry = { topic, key, meta: { phx_ref: this.#nextRef(), ...fields } };
        return { entry, delta: this.#recordLocal([entry], []) };
    }
    remove(entry) {
        return this.#recordLocal([], [entry]);
    }
    /** A leave and a join in one step, so the user is never absent in between. */
    replace(entry, status) {
        const { phx_ref: previous, online_at } = entry.meta;
        const meta = { phx_ref: this.#nextRef(), phx_ref_prev: previous, status, online_at };
        const next = { topic: entry.topic, key: entry.key, meta };
        return { entry: next, delta: this.#recordLocal([next], [entry]) };
    }
    /** Applies another node's delta. `gap`: an earlier delta is missing; the caller must fetch the node's snapshot. */
    merge({ node, from, to, joins, leaves }) {
        const version = this.#versions.get(node) ?? 0;
        if (node === this.node || to <= version)
            return "known";
        if (from !== version)
            return "gap";
        this.#versions.set(node, to);
        for (const entry of joins)
            this.#join(entry);
        for (const entry of leaves)
            this.#leave(entry);
        return "merged";
    }
    /** Applies another node's snapshot. */
    restore({ node, version, entries }) {
        if (node === this.node || version <= (this.#versions.get(node) ?? 0))
            return "known";
        this.#versions.set(node, version);
        const refs = new Set(entries.map(({ meta }) => meta.phx_ref));
        for (const entry of entries)
            this.#join(entry);
        for (const entry of this.#entriesOf(node))
            if (!refs.has(entry.meta.phx_ref))
                this.#leave(entry);
        return "merged";
    }
    /** Removes a node that is gone and returns its entries. If it comes back, its next delta has a gap, so its snapshot is fetched. */
    drop(node) {
        if (node === this.node)
            return [];
        const entries = this.#entriesOf(node);
        this.#versions.delete(node);
        for (const entry of entries)
            this.#leave(entry);
        return entries;
    }
    /** This node's entries, for the other nodes. */
    snapshot() {
        return { node: this.node, version: this.versionOf(this.node), entries: this.#entriesOf(this.node) };
    }
    versionOf(node) {
        return this.#versions.get(node) ?? 0;
    }
    users(topic) {
        return this.#topics.get(topic) ?? noUsers;
    }
    #nextRef() {
        return `${this.node}.${(++this.#refs).toString(36)}`;
    }
    #recordLocal(joins, leaves) {
        const from = this.versionOf(this.node);
        this.#versions.set(this.node, from + 1);
        for (const entry of joins)
            this.#join(entry);
        for (const entry of leaves)
            this.#leave(entry);
        return { node: this.node, from, to: from + 1, joins, leaves };
    }
    #join(entry) {
        const users = this.#topics.get(entry.topic) ?? new Map();
        this.#topics.set(entry.topic, users);
        const metas = users.get(entry.key) ?? [];
        if (metas.some(({ phx_ref }) => phx_ref === entry.meta.phx_ref))
            return;
        users.set(entry.key, [...metas, entry.meta]);
        this.#onChange("join", entry);
    }
    #leave(entry) {
        const users = this.#topics.get(entry.topic);
        const metas = users?.get(entry.key) ?? [];
        const left = metas.filter(({ phx_ref }) => phx_ref !== entry.meta.phx_ref);
        if (users === undefined || left.length === metas.length)
            return;
        if (left.length > 0)
            users.set(entry.key, left);
        else
            users.delete(entry.key);
        if (users.size === 0)
            this.#topics.delete(entry.topic);
        this.#onChange("leave", entry);
    }
    #entriesOf(node) {
        const entries = [];
        for (const [topic, users] of this.#topics) {
            for (const [key, metas] of users) {
                for (const meta of metas)
                    if (nodeOf(meta.phx_ref) === node)
                        entries.push({ topic, key, meta });
            }
        }
        return entries;
    }
}
/** Combines consecutive deltas of one node into one; `undefined` if the list is empty. */
export const combine = (deltas) => {
    const [first] = deltas;
    const last = deltas.at(-1);
    if (first === undefined || last === undefined || first === last)
        return first;
    const joins = new Map();
    const leaves = [];
    for (const delta of deltas) {
        for (const entry of delta.joins)
            joins.set(entry.meta.phx_ref, entry);
        // An entry that was added and removed in between is unknown to the other nodes.
        for (const entry of delta.leaves)
            if (!joins.delete(entry.meta.phx_ref))
                leaves.push(entry);
    }
    return { node: first.node, from: first.from, to: last.to, joins: [...joins.values()], leaves };
};
const nodeOf = (ref) => ref.slice(0, ref.lastIndexOf("."));
