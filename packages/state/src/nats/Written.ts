/** What this process wrote lately: when each entry ends, so that updating it needs no look at it first. */
import type { Bucket } from "../KeyValue.ts"

/** In each bucket; older ones are looked up again. */
const remembered = 10_000

type Ends = Map<number, number | undefined>

export class Written {
  /** By bucket and revision, in two halves: when the newer one is full, the older one is forgotten as a whole. */
  private readonly buckets = new Map<string, { newer: Ends; older: Ends }>()

  note(bucket: Bucket, revision: number, end: number | undefined): void {
    let halves = this.buckets.get(bucket.name)
    if (halves === undefined) this.buckets.set(bucket.name, (halves = { newer: new Map(), older: new Map() }))
    halves.newer.set(revision, end)
    if (halves.newer.size < remembered / 2) return
    halves.older = halves.newer
    halves.newer = new Map()
  }

  /** Undefined where this process did not write that revision, or long ago. */
  endOf(bucket: Bucket, revision: number): { readonly end: number | undefined } | undefined {
    const halves = this.buckets.get(bucket.name)
    if (halves === undefined) return undefined
    const half = halves.newer.has(revision) ? halves.newer : halves.older
    return half.has(revision) ? { end: half.get(revision) } : undefined
  }
}
