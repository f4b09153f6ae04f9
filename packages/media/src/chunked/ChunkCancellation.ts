/** Films that are made in parts and are not wanted any more, or failed. */
import { Effect } from "effect"
import { chunkNames } from "./ChunkedEncodes.ts"
import { concatMessageKey, chunkMessageKey } from "./ChunkMessages.ts"
import { type ChunkContext, versionFromPrefix } from "./ChunkContext.ts"

/** Ends one message before its time; false: it is too late for that. */
export type CancelMessage<E> = (message: {
  readonly consumer: string
  readonly id: string
}) => Effect.Effect<boolean, E>

/**
 * Cancels what is at work for the newest upload: one part, which then tells that the whole was cancelled; the others
 * stop by themselves. Where all parts are done it is the joining that is cancelled.
 */
export const cancelChunks = ({ encodes, record }: ChunkContext) =>
  Effect.fnUntraced(function* <E>(mediaId: string, cancelMessage: CancelMessage<E>) {
    const state = yield* record.find(mediaId)
    if (state === undefined) return
    for (const attempt of state.attempts) {
      if (attempt.generation !== state.generations[state.source_event_id]) continue
      const version = versionFromPrefix(attempt.prefix)
      const job = yield* encodes.find(version)
      if (job === undefined || job.aborted === true) continue
      const left = chunkNames(job).filter((part) => !job.completed.includes(part))
      const messages = [
        ...left.map((part) => chunkMessageKey(job.source_event_id, version, part)),
        concatMessageKey(job.source_event_id, version),
      ]
      for (const message of messages) {
        if (!(yield* cancelMessage(message))) continue
        // Not before: whoever stops because of it has nothing to tell.
        yield* encodes.abort(version)
        break
      }
    }
  })
