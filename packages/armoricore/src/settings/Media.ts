/** What is made of an upload, how large one may be, and how much a user may have made a day. */
import * as ChunkWindow from "@armoricore/media/chunked/ChunkWindow"
import { Ladder } from "@armoricore/media/encode/Ladder"
import { defaultShortWorkLimit } from "@armoricore/media/pipeline/WorkClass"
import { defaultInputLimits } from "@armoricore/media/probe/Probe"
import { Duration, Option, Result, Schema } from "effect"
import { choice, int, optional, parseDuration, size, text, withDefault } from "./Setting.ts"

/** `1080:5000,720:2800`: the short side in pixels and the ceiling in kilobits per second. */
const ladder = optional<Ladder>((value) =>
  Result.fromOption(
    Option.filter(
      Schema.decodeUnknownOption(Ladder)(
        value.split(",").map((part) => {
          const match = /^\s*([0-9]+)p?\s*:\s*([0-9]+)\s*$/.exec(part)
          return { shortSide: Number(match?.[1]), kilobits: Number(match?.[2]) }
        }),
      ),
      (rungs) => new Set(rungs.map(({ shortSide }) => shortSide)).size === rungs.length,
    ),
    () =>
      "must be different rungs such as 1080:5000,720:2800: a short side of 16 to 8640 pixels, and 50 to 200000 kilobits per second",
  ),
)

/** A duration of nothing would refuse every upload. */
const positiveDuration = optional<Duration.Duration>((value) =>
  Result.flatMap(parseDuration(value), (found) =>
    Duration.toMillis(found) > 0 ? Result.succeed(found) : Result.fail("must be longer than nothing"),
  ),
)

/** Names of renditions, or all. */
const mp4Renditions = optional<"all" | ReadonlyArray<string>>((value) => {
  const names = value.split(",").map((part) => part.trim())
  if (names.length === 1 && names[0] === "all") return Result.succeed("all")
  return names.every((name) => /^[0-9]+p$/.test(name))
    ? Result.succeed(names)
    : Result.fail("must be all, or renditions separated by commas such as 720p,360p")
})

/** ffmpeg's loudnorm goes no further. */
const loudness = optional<number>((value) => {
  const number = Number(value)
  return /^-[0-9]+(\.[0-9]+)?$/.test(value) && number >= -70 && number <= -5
    ? Result.succeed(number)
    : Result.fail("must be a loudness from -70 to -5 LUFS, such as -16")
})

export const media = {
  MEDIA_LADDER: ladder({
    description: "the renditions, side:kilobits separated by commas; none is made larger than the source",
    defaultText: "2160:14000,1440:9000,1080:5000,720:2800,480:1400,360:800",
    example: "1080:5000,720:2800,360:800",
  }),
  MEDIA_MP4: mp4Renditions({
    description: "renditions that are MP4 files for download too, separated by commas; all for every one",
    defaultText: "none",
    example: "720p",
  }),
  MEDIA_LOUDNESS: loudness({
    description: "the loudness that sound is brought to, in LUFS",
    defaultText: "left as it is",
    example: "-16",
  }),
  MEDIA_AUDIO_ONLY: withDefault(
    choice("on", "off")({ description: "offers the sound of a film by itself too" }),
    "on",
    "on",
  ),
  MEDIA_PASSTHROUGH: withDefault(
    choice(
      "on",
      "off",
    )({ description: "takes a picture or sound as it is where it is as good as what would be encoded" }),
    "on",
    "on",
  ),
  MEDIA_STORYBOARD: withDefault(choice("on", "off")({ description: "pictures for seeking" }), "on", "on"),
  MEDIA_THUMBNAILS: withDefault(int(1, 50)({ description: "pictures taken at even intervals" }), 5, "5"),
  MEDIA_CONCURRENCY: withDefault(
    int(
      1,
      64,
    )({ description: "short uploads processed at once, and as many long ones beside them; one uses every core" }),
    1,
    "1",
  ),
  MEDIA_SHORT_MAX_COST: withDefault(
    positiveDuration({ description: "what counts as short, as a recording of 1080p at 30 frames a second" }),
    Duration.seconds(defaultShortWorkLimit),
    "1 min",
  ),
  MEDIA_CHUNK_MIN_DURATION: withDefault(
    positiveDuration({
      description: "films at least this long are cut into chunks that all media workers encode together",
    }),
    Duration.minutes(10),
    "10 min",
  ),
  MEDIA_CHUNK_SECONDS: withDefault(
    int(4, 120)({ description: "seconds of a chunk, rounded up to whole segments of 4" }),
    ChunkWindow.defaultChunkSeconds,
    String(ChunkWindow.defaultChunkSeconds),
  ),
  MEDIA_CHUNK_CONCURRENCY: int(
    1,
    1024,
  )({
    description: "chunks that one process encodes at once, a processor each",
    defaultText: "its processors",
    example: "4",
  }),
  MEDIA_USER_CONCURRENCY: int(
    1,
    64,
  )({
    description: "short uploads of one user processed at once, and as many long ones, over all processes",
    defaultText: "not limited",
    example: "2",
  }),
  MEDIA_WORK_DIR: text({
    description: "where running work keeps its files",
    defaultText: "the system's folder for temporary files",
    example: "/var/tmp/armoricore",
  }),
  MEDIA_MAX_BYTES: withDefault(
    size(1)({ description: "the largest upload that is processed: bytes, or such as 5 GB" }),
    defaultInputLimits.maxBytes,
    "50 GB",
  ),
  MEDIA_MAX_DURATION: withDefault(
    positiveDuration({ description: "the longest recording" }),
    Duration.seconds(defaultInputLimits.maxSeconds),
    "12 h",
  ),
  MEDIA_MAX_PIXELS: withDefault(
    int(256, 1_000_000_000)({ description: "the largest picture: its width times its height" }),
    defaultInputLimits.maxPixels,
    String(defaultInputLimits.maxPixels),
  ),
  MEDIA_MAX_TRACKS: withDefault(
    int(1, 1000)({ description: "the most tracks of all kinds that a file may hold" }),
    defaultInputLimits.maxStreams,
    String(defaultInputLimits.maxStreams),
  ),
  MEDIA_MAX_MEMORY: withDefault(
    size(500e6)({ description: "memory that ffmpeg may use, of address space" }),
    8e9,
    "8 GB",
  ),
  MEDIA_TIMEOUT_FACTOR: withDefault(
    int(1, 10_000)({ description: "seconds that a second of a recording may take, besides five minutes" }),
    30,
    "30",
  ),
  MEDIA_STALL_TIMEOUT: withDefault(
    positiveDuration({ description: "ffmpeg without progress is ended after this" }),
    Duration.minutes(1),
    "1 min",
  ),
  MEDIA_MIN_FREE_DISK: withDefault(
    size(0)({ description: "what stays free in the folder of running work, besides the upload" }),
    200e6,
    "200 MB",
  ),
  MEDIA_MAX_OUTPUT: size(1e6)({
    description: "what the output of one upload may take in the folder of running work",
    defaultText: "twice what its rates come to",
    example: "20 GB",
  }),
  MEDIA_QUOTA_UPLOADS: int(
    1,
    1_000_000,
  )({
    description: "uploads that one user may have processed a day (UTC); making one again does not count",
    defaultText: "no limit",
    example: "50",
  }),
  MEDIA_QUOTA_BYTES: size(1)({
    description: "bytes that one user may have processed a day",
    defaultText: "no limit",
    example: "20 GB",
  }),
  MEDIA_QUOTA_DURATION: positiveDuration({
    description: "length of the recordings that one user may have processed a day",
    defaultText: "no limit",
    example: "10 h",
  }),
}
