/** Turns uploads into adaptive streams. */
export * as Failures from "./pipeline/Failures.ts";
export * as Ladder from "./encode/Ladder.ts";
export * as MediaService from "./pipeline/MediaService.ts";
export * as UploadPipeline from "./pipeline/UploadPipeline.ts";
