export * from "@armoricore/ffmpeg/WorkFolder"
