/** Commands of operators to the ai workers, sent as internal work. */
import { Schema } from "effect";
import { MediaId, UserId } from "./Ids.ts";
/** Kind of internal work of the service `ai`. */
export const transcriptRetryKind = "retry";
/** Repeats the newest transcription of a media. */
export const TranscriptRetryRequest = Schema.Struct({ media_id: MediaId, user_id: UserId });
