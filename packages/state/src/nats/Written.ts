/** What this process wrote lately: when each entry ends, so that updating it needs no look at it first. */
import type { Bucket } from "../KeyValue.ts"

/** Older ones are looked up again. */
const remembered = 10_000

export class Written {
  /** The two halves of what is remembered: when the newer one is full, the older one is forgotten as a whole. */
  private newer = new Map<string, number | undefined>()
  private older = new Map<string, number | undefined>()

  note(bucket: Bucket, revision: number, end: number | undefined): void {
    this.newer.set(nameOf(bucket, revision), end)
    if (this.newer.size < remembered / 2) return
    this.older = this.newer
    this.newer = new Map()
  }

  /** Undefined where this process did not write that revision, or long ago. */
  endOf(bucket: Bucket, revision: number): { readonly end: number | undefined } | undefined {
    const name = nameOf(bucket, revision)
    const half = this.newer.has(name) ? this.newer : this.older
    return half.has(name) ? { end: half.get(name) } : undefined
  }
}

const nameOf = (bucket: Bucket, revision: number): string => `${bucket.name}:${revision}`
