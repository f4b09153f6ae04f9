/** What of an upload that failed for good is kept, because a retry need not make it again. */
import { Effect } from "effect"
import { type Shared, versionOf } from "./chunks/Shared.ts"
import * as Encoded from "./Encoded.ts"
import { catalogue } from "./Failures.ts"

/** Prefixes that hold parts of a film, or all of an upload, encoded. */
export const of = ({ jobs, options, record }: Shared) =>
  Effect.fnUntraced(function* (mediaId: string, cause: string, code: string) {
    const none: ReadonlySet<string> = new Set<string>()
    // What is wrong with the file is wrong with what was made of it, and what was cancelled is not wanted.
    if (code === "cancelled" || code in catalogue) return none
    const state = yield* record.find(mediaId)
    const mine = (state?.attempts ?? []).filter(({ generation }) => generation === state?.generations[cause])
    const found = yield* Effect.filter(mine, ({ prefix }) =>
      Effect.gen(function* () {
        const job = yield* jobs.find(versionOf(prefix))
        return job === undefined ? yield* Encoded.isThere(options, prefix) : job.done.length > 0
      }),
    )
    return new Set(found.map(({ prefix }) => prefix))
  })
