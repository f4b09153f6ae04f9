/** What of an upload that failed for good is kept, because a retry need not make it again. */
import { Effect } from "effect"
import { type ChunkContext, versionFromPrefix } from "../chunked/ChunkContext.ts"
import * as EncodeCheckpoint from "./EncodeCheckpoint.ts"
import { failureMessages } from "./Failures.ts"

/** Prefixes that hold parts of a film, or all of an upload, encoded. */
export const make = ({ encodes, options, record }: ChunkContext) =>
  Effect.fnUntraced(function* (mediaId: string, eventId: string, code: string) {
    const none: ReadonlySet<string> = new Set<string>()
    // What is wrong with the file is wrong with what was made of it, and what was cancelled is not wanted.
    if (code === "cancelled" || code in failureMessages) return none
    const state = yield* record.find(mediaId)
    const attempts = (state?.attempts ?? []).filter(({ generation }) => generation === state?.generations[eventId])
    const found = yield* Effect.filter(attempts, ({ prefix }) =>
      Effect.gen(function* () {
        const job = yield* encodes.find(versionFromPrefix(prefix))
        return job === undefined ? yield* EncodeCheckpoint.exists(options, prefix) : job.completed.length > 0
      }),
    )
    return new Set(found.map(({ prefix }) => prefix))
  })
