/**
 * What ffmpeg may read. The file comes from a stranger: a playlist or manifest renamed `.mp4` would make ffmpeg read
 * other local files, so only demuxers of real containers are allowed and only the `file` protocol.
 */

/** The options that every input of ffmpeg or ffprobe gets. */
export const inputGuards: ReadonlyArray<string> = [
  "-protocol_whitelist",
  "file",
  "-format_whitelist",
  "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpegts,mpeg,mp3,wav,flac,ogg,aac",
]
