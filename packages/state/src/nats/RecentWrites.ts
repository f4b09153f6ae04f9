/** The expiry of entries that this process wrote recently, so that an update needs no read first. */
import type { Bucket } from "../KeyValue.ts"

/** Entries per bucket; older ones are read again. */
const capacity = 10_000

type Expiries = Map<number, number | undefined>

export class RecentWrites {
  /** By bucket and revision, in two generations: when the newer one is full, the older one is dropped. */
  private readonly buckets = new Map<string, { newer: Expiries; older: Expiries }>()

  record(bucket: Bucket, revision: number, expiresAt: number | undefined): void {
    let halves = this.buckets.get(bucket.name)
    if (halves === undefined) this.buckets.set(bucket.name, (halves = { newer: new Map(), older: new Map() }))
    halves.newer.set(revision, expiresAt)
    if (halves.newer.size < capacity / 2) return
    halves.older = halves.newer
    halves.newer = new Map()
  }

  /** `undefined` if this process did not write that revision, or not recently. */
  expiryOf(bucket: Bucket, revision: number): { readonly expiresAt: number | undefined } | undefined {
    const halves = this.buckets.get(bucket.name)
    if (halves === undefined) return undefined
    const half = halves.newer.has(revision) ? halves.newer : halves.older
    return half.has(revision) ? { expiresAt: half.get(revision) } : undefined
  }
}
