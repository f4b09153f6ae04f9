export * from "@armoricore/ffmpeg/FfmpegPrograms"
