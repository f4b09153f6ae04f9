/**
 * What ffmpeg may read. The file comes from a stranger: a playlist or manifest renamed `.mp4` would make ffmpeg read
 * other local files, so only demuxers of real containers are allowed and only the `file` protocol. None of these
 * follows a reference to another file by itself. Images come through the demuxers of one picture each, never `image2`,
 * which takes a file's name for a pattern.
 */

const containers =
  "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpegts,mpeg,asf,mxf,gxf,nut,dv,ivf,ogg," +
  "mp3,wav,w64,flac,aac,ac3,eac3,aiff,caf,au,amr,wv,tta,ape"
const images = "png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,gif,apng"

/** The options that every input of ffmpeg or ffprobe gets. */
export const inputRestrictions: ReadonlyArray<string> = [
  "-protocol_whitelist",
  "file",
  "-format_whitelist",
  `${containers},${images}`,
]

/**
 * For a source that lies elsewhere and is read by ranges through this process, at an address of 127.0.0.1 that no one
 * else knows: then no file can be read at all. Both kinds of container have an index and follow no reference; a proxy
 * of the environment is not asked.
 */
export const loopbackRestrictions: ReadonlyArray<string> = [
  "-protocol_whitelist",
  "http,tcp",
  "-http_proxy",
  "",
  "-format_whitelist",
  "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm",
]
