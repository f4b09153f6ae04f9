/** Films that are made in parts and are not wanted any more, or failed. */
import { Effect } from "effect"
import { partsOf } from "./ChunkJobs.ts"
import { joinKey, partKey } from "./ChunkWork.ts"
import { type Shared, versionOf } from "./Shared.ts"

/** Ends one message before its time; false: it is too late for that. */
export type Cancel<E> = (message: { readonly consumer: string; readonly id: string }) => Effect.Effect<boolean, E>

/**
 * Cancels what is at work for the newest upload: one part, which then tells that the whole was cancelled; the others
 * stop by themselves. Where all parts are done it is the joining that is cancelled.
 */
export const cancel = ({ jobs, record }: Shared) =>
  Effect.fnUntraced(function* <E>(mediaId: string, end: Cancel<E>) {
    const state = yield* record.find(mediaId)
    if (state === undefined) return
    for (const attempt of state.attempts) {
      if (attempt.generation !== state.generations[state.cause]) continue
      const version = versionOf(attempt.prefix)
      const job = yield* jobs.find(version)
      if (job === undefined || job.ended === true) continue
      const left = partsOf(job).filter((part) => !job.done.includes(part))
      const messages = [...left.map((part) => partKey(job.cause, version, part)), joinKey(job.cause, version)]
      for (const message of messages) {
        if (!(yield* end(message))) continue
        // Not before: whoever stops because of it has nothing to tell.
        yield* jobs.end(version)
        break
      }
    }
  })
