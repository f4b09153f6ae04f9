/** Captions and moderation: the service, its ports and engines. */
export * as AiService from "./AiService.ts";
export * as TranscriptionFailures from "./TranscriptionFailures.ts";
export * as Moderator from "./moderation/Moderator.ts";
export * as SpeechEngine from "./SpeechEngine.ts";
export * as SpeechEngines from "./SpeechEngines.ts";
export * as Transcriber from "./Transcriber.ts";
