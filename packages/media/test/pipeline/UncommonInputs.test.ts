/** Uncommon but valid files, and files without a usable stream. */
import { describe, layer } from "@effect/vitest"
import { h264, testVideo, tone } from "../support/Clips.ts"
import { isFfmpegMissing, pipeline } from "../support/Pipeline.ts"
import { type InputCase, verify } from "../support/InputCase.ts"

const words = (text: string) => text.split(" ")
const small = testVideo({ size: "64x48", rate: "25", seconds: 2 })
const aac = words("-c:a aac")
const av = [...small, ...tone(2), ...h264, ...aac]
const one = (args: ReadonlyArray<string>) => () => [args]

/** A minute of audio whose first seconds need a high bit rate. */
const fading = words(
  "-f lavfi -i anoisesrc=d=4:a=0.9:r=44100 -f lavfi -t 56 -i anullsrc -filter_complex [0][1]concat=v=0:a=1",
)

/** Adds a 4-byte timestamp to each packet of a transport stream, as camcorders and Blu-ray discs do. */
const stamped = (read: (name: string) => Uint8Array) => {
  const ts = Buffer.from(read("b.ts"))
  const packets = Array.from({ length: ts.byteLength / 188 }, (_, index) => {
    const stamp = Buffer.alloc(4)
    stamp.writeUInt32BE(index * 40_000)
    return Buffer.concat([stamp, ts.subarray(index * 188, (index + 1) * 188)])
  })
  return Buffer.concat(packets)
}

const sources: Readonly<Record<string, InputCase>> = {
  AVIF: {
    file: "a.avif",
    steps: one([
      ...testVideo({ size: "64x48", seconds: 1 }),
      ...words("-frames:v 1 -c:v libaom-av1 -cpu-used 8 -still-picture 1"),
    ]),
    expected: "64x48",
    seconds: 4,
  },
  HEIC: {
    file: "a.heic",
    bytes: () => Buffer.concat([Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic"), Buffer.alloc(5000)]),
    expected: "unsupported_format",
  },
  "animated AVIF": {
    file: "a.avif",
    steps: one([...testVideo({ size: "64x48", rate: "10", seconds: 1 }), ...words("-c:v libaom-av1 -cpu-used 8")]),
    expected: "64x48",
  },
  "only subtitles": {
    file: "a.mp4",
    steps: one(["-f", "srt", "-i", "data:text/plain,1%0A00:00:00,000 --> 00:00:02,000%0ADemat%0A", "-c:s", "mov_text"]),
    expected: "no_media",
  },
  "a single frame": {
    file: "a.mp4",
    steps: one([...small, ...h264, ...words("-frames:v 1")]),
    expected: "64x48",
    seconds: 0.04,
  },
  "eight channels": { file: "a.wav", steps: one([...tone(2), ...words("-ac 8")]), expected: "", tracks: 2, seconds: 2 },
  "six-channel Opus": {
    file: "a.opus",
    steps: one([...tone(2), ...words("-ac 6 -c:a libopus -mapping_family 1")]),
    expected: "",
    tracks: 2,
    seconds: 2,
  },
  "video with a cover image": {
    file: "a.mp4",
    steps: (file) => [
      [...testVideo({ size: "320x240", seconds: 1 }), ...words("-frames:v 1 -update 1"), file("c.jpg")],
      [...av, file("b.mp4")],
      ["-i", file("c.jpg"), "-i", file("b.mp4"), ...words("-map 0 -map 1 -c copy -disposition:v:0 attached_pic")],
    ],
    expected: "64x48",
    seconds: 2,
    tracks: 1,
  },
  "one-pixel cover image": {
    file: "a.mp3",
    steps: (file) => [
      [
        ...testVideo({ size: "16x16", seconds: 1 }),
        "-vf",
        "format=rgb24,scale=1:1",
        ...words("-frames:v 1 -update 1"),
        file("c.png"),
      ],
      [...tone(2), "-i", file("c.png"), ...words("-map 0 -map 1 -c:v copy")],
    ],
    expected: "0x0",
    seconds: 2,
  },
  "two frames of different sizes": {
    file: "a.mkv",
    steps: one([
      ...small,
      ...testVideo({ size: "128x96", rate: "25", seconds: 2 }),
      ...tone(2),
      ...words("-map 0 -map 1 -map 2 -disposition:v:0 0 -disposition:v:1 default"),
      ...h264,
      ...aac,
    ]),
    expected: "128x96",
    tracks: 1,
  },
  "encrypted MP4": {
    file: "a.mp4",
    steps: one([
      ...av,
      ...words(
        "-encryption_scheme cenc-aes-ctr -encryption_key 76a6c65c5ea762046bd749a2e632ccbb -encryption_kid a7e61c373e219033c21091fa607bf3b8",
      ),
    ]),
    expected: "encrypted",
  },
  "fragments that start after ten hours": {
    file: "a.mp4",
    steps: one([...av, ...words("-output_ts_offset 36000 -movflags +frag_keyframe+empty_moov+default_base_moof")]),
    expected: "64x48",
    seconds: 2,
  },
  "a time base of one nanosecond": {
    file: "a.mp4",
    steps: one([...av, ...words("-video_track_timescale 1000000000")]),
    expected: "64x48",
    seconds: 2,
    tracks: 1,
  },
  "Matroska that starts after a hundred seconds": {
    file: "a.mkv",
    steps: one([...av, ...words("-output_ts_offset 100")]),
    expected: "64x48",
    seconds: 2,
    tracks: 1,
  },
  "AAC without a container, first loud, then silent": {
    file: "a.aac",
    steps: one([...fading, ...words("-c:a aac -q:a 5")]),
    expected: "0x0",
    seconds: 60,
  },
  "MP3 without a duration": {
    file: "a.mp3",
    steps: one([...fading, ...words("-c:a libmp3lame -q:a 0 -write_xing 0")]),
    expected: "0x0",
    seconds: 60,
  },
  "concatenated MP3s with different sample rates": {
    file: "a.mp3",
    steps: (file) => [
      [...tone(2), ...words("-ar 44100"), file("b.mp3")],
      [...tone(3), ...words("-ar 22050 -ac 2"), file("c.mp3")],
    ],
    from: ["b.mp3", "c.mp3"],
    expected: "0x0",
    seconds: 5,
  },
  "chained Ogg": {
    file: "a.ogg",
    steps: (file) => [
      [...tone(2), ...words("-c:a libvorbis"), file("b.ogg")],
      [...tone(3), ...words("-c:a libvorbis -ar 48000 -ac 2"), file("c.ogg")],
    ],
    from: ["b.ogg", "c.ogg"],
    expected: "0x0",
  },
  "frames with equal timestamps": {
    file: "a.mkv",
    steps: (file) => [
      [...small, ...words("-c:v mjpeg -q:v 3"), file("b.mkv")],
      ["-i", file("b.mkv"), ...words("-c copy -bsf:v"), "setts=pts=floor(N/3)*120:dts=floor(N/3)*120"],
    ],
    expected: "64x48",
    seconds: 2,
  },
  "changing pixel aspect ratio": {
    file: "a.ts",
    steps: (file) => [
      [...small, ...tone(2), ...words("-c:v libx264 -pix_fmt yuv420p"), ...aac, ...words("-f mpegts"), file("b.ts")],
      [
        ...small,
        ...tone(2),
        ...words("-c:v libx264 -pix_fmt yuv444p"),
        ...aac,
        ...words("-output_ts_offset 2 -f mpegts"),
        file("c.ts"),
      ],
    ],
    from: ["b.ts", "c.ts"],
    expected: "64x48",
    seconds: 4,
  },
  "changing sample rate": {
    file: "a.ts",
    steps: (file) => [
      [...small, ...tone(2), ...h264, ...words("-c:a mp2 -ar 32000 -f mpegts"), file("b.ts")],
      [...small, ...tone(2), ...h264, ...words("-c:a mp2 -ar 48000 -output_ts_offset 2 -f mpegts"), file("c.ts")],
    ],
    from: ["b.ts", "c.ts"],
    expected: "64x48",
    seconds: 4,
    tracks: 1,
  },
  "camcorder stream": {
    file: "a.m2ts",
    steps: (file) => [[...av, ...words("-f mpegts"), file("b.ts")]],
    bytes: stamped,
    expected: "64x48",
    seconds: 2,
  },
  "transport stream with two programs": {
    file: "a.ts",
    steps: one([
      ...small,
      ...small,
      ...tone(2),
      ...tone(2),
      ...words("-map 0 -map 2 -map 1 -map 3"),
      ...h264,
      ...words("-c:a mp2 -program st=0:st=1 -program st=2:st=3 -f mpegts"),
    ]),
    expected: "64x48",
    seconds: 2,
  },
  "10-bit VP9": {
    file: "a.webm",
    steps: one([...small, ...words("-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv444p10le")]),
    expected: "64x48",
  },
  "ProRes with transparency": {
    file: "a.mov",
    steps: one([...small, ...words("-c:v prores_ks -profile:v 4444 -pix_fmt yuva444p10le")]),
    expected: "64x48",
  },
  "PNG in MOV at an odd size": {
    file: "a.mov",
    steps: one([...testVideo({ size: "65x49", rate: "25", seconds: 1 }), ...words("-c:v png")]),
    expected: "64x48",
  },
  "gray H.264": { file: "a.mp4", steps: one([...small, ...words("-c:v libx264 -pix_fmt gray")]), expected: "64x48" },
  "separate fields": {
    file: "a.mp4",
    steps: one([
      ...testVideo({ size: "720x576", rate: "50", seconds: 1 }),
      ...words("-vf interlace,setsar=64/45 -c:v libx264 -flags +ildct+ilme -x264-params tff=1 -pix_fmt yuv420p"),
    ]),
    expected: "1024x576,852x480,640x360",
  },
  "Xvid with B frames": {
    file: "a.avi",
    steps: one([...small, ...tone(2), ...words("-c:v mpeg4 -bf 2 -vtag XVID -c:a libmp3lame")]),
    expected: "64x48",
    tracks: 1,
  },
  ADPCM: { file: "a.wav", steps: one([...tone(2), ...words("-c:a adpcm_ms")]), expected: "0x0", seconds: 2 },
  "RF64 with 64-bit floats": {
    file: "a.wav",
    steps: one([...tone(2), ...words("-c:a pcm_f64le -rf64 always")]),
    expected: "0x0",
    seconds: 2,
  },
  "8 kHz AAC in 3GP": {
    file: "a.3gp",
    steps: one([...tone(2), ...words("-c:a aac -ar 8000 -ac 1")]),
    expected: "0x0",
  },
  "E-AC-3 in MP4": {
    file: "a.mp4",
    steps: one([...small, ...tone(2), ...h264, ...words("-c:a eac3 -ac 6")]),
    expected: "64x48",
    tracks: 2,
  },
  DTS: {
    file: "a.mkv",
    steps: one([...small, ...tone(2), ...h264, ...words("-c:a dca -strict -2 -ac 6 -ar 48000")]),
    expected: "64x48",
    tracks: 2,
  },
  TrueHD: {
    file: "a.mkv",
    steps: one([...small, ...tone(2), ...h264, ...words("-c:a truehd -strict -2 -ac 6")]),
    expected: "64x48",
    tracks: 2,
  },
  "eight mono tracks": {
    file: "a.mxf",
    steps: one([
      ...testVideo({ size: "720x576", rate: "25", seconds: 1 }),
      ...Array.from({ length: 8 }, () => tone(1)).flat(),
      ...Array.from({ length: 9 }, (_, at) => ["-map", String(at)]).flat(),
      ...words("-c:v mpeg2video -b:v 8M -pix_fmt yuv422p -c:a pcm_s24le -ac 1 -ar 48000"),
    ]),
    expected: "720x576,600x480,450x360",
    tracks: 8,
  },
  "GIF with a long delay": {
    file: "a.gif",
    steps: one([...testVideo({ size: "64x48", rate: "1", seconds: 3 }), ...words("-final_delay 500")]),
    expected: "64x48",
    seconds: 7,
  },
  "MP3 with ten megabytes of tags": {
    file: "a.mp3",
    steps: (file) => [[...tone(2), ...words("-write_xing 0 -id3v2_version 0"), file("b.mp3")]],
    bytes: (read) => {
      const size = 10_000_000
      const head = Buffer.from([
        0x49,
        0x44,
        0x33,
        3,
        0,
        0,
        (size >> 21) & 127,
        (size >> 14) & 127,
        (size >> 7) & 127,
        size & 127,
      ])
      return Buffer.concat([head, Buffer.alloc(size), read("b.mp3")])
    },
    expected: "0x0",
    seconds: 2,
  },
  WMA: { file: "a.wma", steps: one([...tone(2), ...words("-c:a wmav2")]), expected: "0x0" },
  "a start cut at B-frames": {
    file: "a.mp4",
    steps: (file) => [
      [
        ...testVideo({ size: "64x48", rate: "25", seconds: 6 }),
        ...tone(6),
        ...words("-c:v libx264 -bf 3 -g 100 -pix_fmt yuv420p"),
        ...aac,
        ...words("-output_ts_offset -0.5"),
        file("a.mp4"),
      ],
    ],
    bytes: (read) => read("a.mp4"),
    expected: "64x48",
    seconds: 5.5,
    tracks: 1,
  },
}

describe.skipIf(isFfmpegMissing)("Rare files", () => {
  layer(pipeline(), { excludeTestServices: true })((it) => {
    it.effect.each(Object.entries(sources).map(([name, source]) => ({ name, source })))("$name", ({ name, source }) =>
      verify(name, source),
    )
  })
})
