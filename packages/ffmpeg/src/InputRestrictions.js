/**
 * Restricts the inputs of ffmpeg, because uploads are untrusted: a playlist or manifest renamed to `.mp4` would make ffmpeg
 * read other local files. Only the `file` protocol and the demuxers of self-contained formats are allowed; none of them
 * follows a reference to another file. Images use the demuxers for a single image, never `image2`, which interprets a
 * file name as a pattern.
 */
const containers = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpegts,mpeg,asf,mxf,gxf,nut,dv,ivf,ogg," +
    "mp3,wav,w64,flac,aac,ac3,eac3,aiff,caf,au,amr,wv,tta,ape";
const images = "png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,gif,apng";
/** Options for every local input of ffmpeg and ffprobe. */
export const inputRestrictions = [
    "-protocol_whitelist",
    "file",
    "-format_whitelist",
    `${containers},${images}`,
];
/**
 * Options for a source in remote storage, which ffmpeg reads through a range proxy of this process at a secret address on
 * 127.0.0.1. ffmpeg can then open no local file, and it ignores HTTP proxies of the environment. The allowed containers
 * have an index and follow no references.
 */
export const loopbackRestrictions = [
    "-protocol_whitelist",
    "http,tcp",
    "-http_proxy",
    "",
    "-format_whitelist",
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm",
];
