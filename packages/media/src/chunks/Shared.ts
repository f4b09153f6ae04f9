/** What the steps of a film that is made in parts have in common. */
import type { EventOf } from "@armoricore/domain/Events"
import type * as Completion from "../Completion.ts"
import type * as MediaRecord from "../MediaRecord.ts"
import type { Options } from "../TranscodeOptions.ts"
import type { ChunkJobs, Job } from "./ChunkJobs.ts"

export interface Shared {
  readonly options: Options
  readonly record: MediaRecord.MediaRecord
  readonly completion: Completion.Completion
  readonly jobs: ChunkJobs
}

/** The event that a job came of, as the state record knows it. */
export const eventOf = ({ cause, started, upload }: Job): EventOf<"media.uploaded"> => ({
  event_type: "media.uploaded",
  event_id: cause,
  timestamp: new Date(started).toISOString(),
  source: "media",
  payload: upload,
})

/** The version of an attempt: the last folder of its prefix. */
export const versionOf = (prefix: string): string => prefix.split("/").at(-2) ?? ""

/** Where parts are written before they have their places. */
export const stagingOf = (prefix: string): string => `${prefix}parts/`
