/** ffmpeg and ffprobe as scoped children, and the folders they work in. */
export * as Ffmpeg from "./Ffmpeg.ts"
export * as FfmpegPrograms from "./FfmpegPrograms.ts"
export * as InputGuards from "./InputGuards.ts"
export * as LeashedChild from "./LeashedChild.ts"
export * as WorkFolder from "./WorkFolder.ts"
