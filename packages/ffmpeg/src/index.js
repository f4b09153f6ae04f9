/** ffmpeg and ffprobe as scoped child processes, and their working folders. */
export * as AudioTracks from "./AudioTracks.ts";
export * as Ffmpeg from "./Ffmpeg.ts";
export * as FfmpegPrograms from "./FfmpegPrograms.ts";
export * as InputRestrictions from "./InputRestrictions.ts";
export * as RareFrames from "./RareFrames.ts";
export * as SupervisedProcess from "./SupervisedProcess.ts";
export * as ScratchDir from "./ScratchDir.ts";
