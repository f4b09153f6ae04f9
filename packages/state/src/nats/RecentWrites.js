/** Entries per bucket; older ones are read again. */
const capacity = 10_000;
export class RecentWrites {
    /** By bucket and revision, in two generations: when the newer one is full, the older one is dropped. */
    buckets = new Map();
    record(bucket, revision, expiresAt) {
        let halves = this.buckets.get(bucket.name);
        if (halves === undefined)
            this.buckets.set(bucket.name, (halves = { newer: new Map(), older: new Map() }));
        halves.newer.set(revision, expiresAt);
        if (halves.newer.size < capacity / 2)
            return;
        halves.older = halves.newer;
        halves.newer = new Map();
    }
    /** `undefined` if this process did not write that revision, or not recently. */
    expiryOf(bucket, revision) {
        const halves = this.buckets.get(bucket.name);
        if (halves === undefined)
            return undefined;
        const half = halves.newer.has(revision) ? halves.newer : halves.older;
        return half.has(revision) ? { expiresAt: half.get(revision) } : undefined;
    }
}
