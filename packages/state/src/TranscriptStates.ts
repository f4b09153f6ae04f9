/** The state documents of transcripts: written only by `ai`, read by `api` and `media`. */
import { TranscriptState } from "@armoricore/domain/Transcript"
import type { Descriptor } from "./Collection.ts"

export const transcriptStates: Descriptor<TranscriptState, typeof TranscriptState.Encoded> = {
  bucket: { name: "transcripts", maxAge: "never" },
  schema: TranscriptState,
}
