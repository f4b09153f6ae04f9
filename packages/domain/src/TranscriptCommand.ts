/** What an operator may ask the ai workers to do. Work, not events. */
import { Schema } from "effect"
import { MediaId, UserId } from "./Ids.ts"

/** The kind of work in the queue of the service `ai`. */
export const transcriptRetryKind = "retry"

/** Makes the newest transcript that was asked for of a media again. */
export const TranscriptRetryRequest = Schema.Struct({ media_id: MediaId, user_id: UserId })
export type TranscriptRetryRequest = typeof TranscriptRetryRequest.Type
