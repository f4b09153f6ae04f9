/** What `media.ready` says of the source, beside what the publisher hung on the upload. */
import type { MediaInfo } from "./Probe.ts"

export const fromProbe = (info: MediaInfo, bytes: number) => ({
  format: info.format,
  bytes,
  duration: info.duration,
  ...(info.video === undefined
    ? {}
    : {
        video_codec: info.video.codec,
        width: info.video.width,
        height: info.video.height,
        rotation: info.video.rotation,
        frame_rate: Math.round((info.video.frameRate.num / info.video.frameRate.den) * 1000) / 1000,
        hdr: info.video.hdr !== undefined,
      }),
  ...(info.audioTracks[0] === undefined
    ? {}
    : {
        audio_codec: info.audioTracks[0].codec,
        channels: info.audioTracks[0].channels,
        ...(info.audioTracks.length > 1
          ? { languages: info.audioTracks.map(({ language }) => language ?? "und") }
          : {}),
      }),
})
