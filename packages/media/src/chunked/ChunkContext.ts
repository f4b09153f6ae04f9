/** The services that all steps of a chunked encode share, and the request to encode one chunk. */
import type { Effect } from "effect"
import type { PublishPlayable } from "../pipeline/PlayableEvent.ts"
import type { ResolvedOptions } from "../pipeline/TranscodeOptions.ts"
import type { VersionPublisher } from "../pipeline/VersionPublisher.ts"
import type { MediaRecord } from "../record/MediaRecord.ts"
import type { ContentKeys } from "../protection/ContentKeys.ts"
import type { ChunkedEncodes } from "./ChunkedEncodes.ts"

export interface ChunkContext {
  readonly options: ResolvedOptions
  readonly record: MediaRecord
  readonly publisher: VersionPublisher
  readonly encodes: ChunkedEncodes
  readonly contentKeys: ContentKeys
}

export interface ChunkRequest {
  readonly mediaId: string
  readonly version: string
  /** A name of `chunkNames`. */
  readonly chunk: string
  /** Grows with each owner of the chunk. */
  readonly fencingToken: number
  /** Called with the percentage of the whole upload, 0 to 100. */
  readonly onProgress: (percent: number) => Effect.Effect<void>
  readonly publishPlayable: PublishPlayable
}
