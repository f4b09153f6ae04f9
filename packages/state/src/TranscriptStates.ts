/** Where the state of every media's transcripts lies: `ai` alone writes it, `api` and `media` read. */
import { TranscriptState } from "@armoricore/domain/Transcript"
import type { Descriptor } from "./Collection.ts"

export const transcriptStates: Descriptor<TranscriptState, typeof TranscriptState.Encoded> = {
  bucket: { name: "transcripts", maxAge: "never" },
  schema: TranscriptState,
}
