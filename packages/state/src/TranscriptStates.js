/** The state documents of transcripts: written only by `ai`, read by `api` and `media`. */
import { TranscriptState } from "@armoricore/domain/Transcript";
export const transcriptStates = {
    bucket: { name: "transcripts", maxAge: "never" },
    schema: TranscriptState,
};
