export * from "@armoricore/ffmpeg/Ffmpeg"
