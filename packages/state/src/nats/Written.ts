/** What this process wrote lately: when each entry ends, so that updating it needs no look at it first. */
import type { Bucket } from "../KeyValue.ts"

/** Older ones are looked up again. */
const remembered = 10_000

export class Written {
  private readonly ends = new Map<string, number | undefined>()

  note(bucket: Bucket, revision: number, end: number | undefined): void {
    this.ends.set(nameOf(bucket, revision), end)
    for (const oldest of this.ends.keys()) {
      if (this.ends.size <= remembered) break
      this.ends.delete(oldest)
    }
  }

  /** Undefined where this process did not write that revision. */
  endOf(bucket: Bucket, revision: number): { readonly end: number | undefined } | undefined {
    const name = nameOf(bucket, revision)
    return this.ends.has(name) ? { end: this.ends.get(name) } : undefined
  }
}

const nameOf = (bucket: Bucket, revision: number): string => `${bucket.name}:${revision}`
