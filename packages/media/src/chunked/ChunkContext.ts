/** What the steps of a film that is made in parts have in common. */
import type { EventOf } from "@armoricore/domain/EventRegistry"
import type * as VersionPublisher from "../pipeline/VersionPublisher.ts"
import type * as MediaRecord from "../record/MediaRecord.ts"
import type { TranscodeOptions } from "../pipeline/TranscodeOptions.ts"
import type { ChunkedEncodes, ChunkedEncode } from "./ChunkedEncodes.ts"

export interface ChunkContext {
  readonly options: TranscodeOptions
  readonly record: MediaRecord.MediaRecord
  readonly publisher: VersionPublisher.VersionPublisher
  readonly encodes: ChunkedEncodes
}

/** The event that a job came of, as the state record knows it. */
export const uploadEvent = ({ source_event_id, started_at, upload }: ChunkedEncode): EventOf<"media.uploaded"> => ({
  event_type: "media.uploaded",
  event_id: source_event_id,
  timestamp: new Date(started_at).toISOString(),
  source: "media",
  payload: upload,
})

/** The version of an attempt: the last folder of its prefix. */
export const versionFromPrefix = (prefix: string): string => prefix.split("/").at(-2) ?? ""

/** Where parts are written before they have their places. */
export const stagingPrefix = (prefix: string): string => `${prefix}parts/`
