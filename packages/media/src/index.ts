/** Turns uploads into adaptive streams. */
export * as Failures from "./Failures.ts"
export * as Ladder from "./Ladder.ts"
export * as MediaService from "./MediaService.ts"
export * as Transcode from "./Transcode.ts"
