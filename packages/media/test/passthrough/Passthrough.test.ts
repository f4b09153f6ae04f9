/** Passthrough: each condition separately, and streams with copied tracks. */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import * as PassthroughCheck from "@armoricore/media/passthrough/PassthroughCheck"
import {
  AudioPacketAnalyzer,
  fitsBitrate,
  VideoPacketAnalyzer,
  packetParser,
} from "@armoricore/media/passthrough/PacketAnalyzer"
import type { Ladder } from "@armoricore/media/encode/Ladder"
import { defaultInputLimits, probe } from "@armoricore/media/probe/Probe"
import { type UploadAttempt, UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import { planEncoding, resolve, type TranscodeOptions } from "@armoricore/media/pipeline/TranscodeOptions"
import { assert, describe, it, layer } from "@effect/vitest"
import { Duration, Effect, FileSystem, Path } from "effect"
import { ffmpeg } from "../support/Clips.ts"
import {
  fetchAll,
  isFfmpegMissing,
  options,
  pipeline,
  prefixOf,
  programs,
  storeUpload,
  uploaded,
} from "../support/Pipeline.ts"
import { check } from "../support/StreamChecker.ts"

const ladder: Ladder = [
  { shortSide: 180, kilobits: 400 },
  { shortSide: 90, kilobits: 100 },
]

const words = (text: string) => text.split(" ").filter((word) => word !== "")

interface Source {
  readonly size?: string
  readonly rate?: string
  readonly seconds?: number
  /** Encoder options that come before the changed ones. */
  readonly video?: string
  readonly gop?: number
  readonly rates?: string
  readonly tags?: string
  readonly audio?: string
  readonly filter?: string
  readonly more?: string
}

const bt709 = "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv"

/** A source that can be copied unless a test changes it. Its H.264 profile differs from that of encoded renditions. */
const made = ({
  size = "320x180",
  rate = "30",
  seconds = 5,
  gop = 60,
  video = "-c:v libx264 -preset ultrafast -bf 2 -profile:v main -pix_fmt yuv420p",
  rates = "-b:v 300k -maxrate 300k -bufsize 300k",
  tags = bt709,
  audio = "-c:a aac -b:a 64k -ac 2",
  filter = "null",
  more = "",
}: Source = {}) =>
  words(
    `-f lavfi -i testsrc2=s=${size}:r=${rate}:d=${seconds} -f lavfi -i sine=440:r=44100:d=${seconds} -vf ${filter} ${video} ` +
      `-g ${gop} -keyint_min ${gop} -sc_threshold 0 ${rates} ${tags} ${audio} ${more}`,
  )

type Steps = (file: (name: string) => string) => ReadonlyArray<ReadonlyArray<string>>

const make = Effect.fnUntraced(function* (steps: Steps, name: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped()
  const all = steps((file) => path.join(folder, file))
  const source = path.join(folder, name)
  for (const [index, args] of all.entries()) yield* ffmpeg(index === all.length - 1 ? [...args, source] : args)
  return { folder, source }
})

const decide = Effect.fnUntraced(function* (
  steps: Steps,
  changes: Partial<TranscodeOptions> = {},
  name = "source.mp4",
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const { folder, source } = yield* make(steps, name)
  const { toneMapping } = yield* FfmpegPrograms
  const info = yield* probe(name, Number((yield* fs.stat(source)).size), folder, defaultInputLimits)
  const listings = path.join(folder, "listings")
  yield* fs.makeDirectory(listings)
  return yield* PassthroughCheck.decide(planEncoding(resolve({ ...options, ladder, ...changes }), info, toneMapping), {
    input: source,
    folder: listings,
    ladder,
    timeout: Duration.minutes(1),
  })
})

const one =
  (source: Source): Steps =>
  () => [made(source)]

/** A change of the source, and the expected reason against copying the video. */
const rejectedVideos: ReadonlyArray<readonly [name: string, reason: string, steps: Steps, file?: string]> = [
  ["another container", "container", one({}), "source.mkv"],
  ["another codec", "codec", one({ video: "-c:v mpeg4 -bf 0" })],
  ["a higher profile", "profile", one({ video: "-c:v libx264 -preset ultrafast -profile:v high444 -pix_fmt yuv444p" })],
  ["10 bits", "profile", one({ video: "-c:v libx264 -preset ultrafast -profile:v high10 -pix_fmt yuv420p10le" })],
  ["a higher level", "level", one({ more: "-level 5.1" })],
  ["unspecified colours", "colours", one({ tags: "" })],
  ["HDR", "colours", one({ tags: bt709.replace("-color_trc bt709", "-color_trc smpte2084") })],
  ["full range colours", "pixel format", one({ tags: bt709.replace("tv", "pc") })],
  [
    "a rotation",
    "rotation",
    (file) => [
      [...made({ size: "180x320" }), file("plain.mp4")],
      ["-i", file("plain.mp4"), "-c", "copy", "-metadata:s:v:0", "rotate=90"],
    ],
  ],
  ["non-square pixels", "pixel aspect", one({ filter: "setsar=4/3" })],
  ["interlaced fields", "interlaced", one({ filter: "setfield=tff", more: "-flags +ildct+ilme" })],
  ["a larger size than the ladder", "size", one({ size: "640x360" })],
  ["more than 60 frames a second", "frame rate", one({ rate: "120", gop: 240, seconds: 3 })],
  [
    "a variable frame rate",
    "frame rate",
    one({ filter: "select='if(lt(t,2),1,not(mod(n,3)))'", more: "-fps_mode vfr", seconds: 4 }),
  ],
  [
    "one late frame",
    "uneven frames",
    (file) => [
      [...made({ seconds: 4 }), file("whole.mp4")],
      ["-i", file("whole.mp4"), ...words("-c copy -bsf:v setts=pts=if(eq(N\\,70)\\,PTS+100\\,PTS)")],
    ],
  ],
  [
    "a higher bit rate than the rendition",
    "bit rate",
    one({ rates: "-b:v 900k -minrate 900k -maxrate 900k -bufsize 450k" }),
  ],
  ["key frames far apart", "key frames", one({ gop: 250 })],
  ["key frames every three seconds", "key frames", one({ gop: 90, seconds: 8 })],
  ["key frames at scene changes", "key frames", one({ more: "-force_key_frames 0,1.3,2.9,4.1", gop: 250 })],
  [
    "open GOPs",
    "open groups",
    one({
      video: "-c:v libx264 -preset ultrafast -bf 3 -x264-params open-gop=1:b-adapt=0 -profile:v main -pix_fmt yuv420p",
    }),
  ],
  [
    "a cut after a key frame",
    "edit list or damage",
    (file) => [
      [...made({ seconds: 8 }), file("whole.mp4")],
      ["-ss", "2.7", "-i", file("whole.mp4"), "-c", "copy"],
    ],
  ],
  [
    "a late start",
    "uneven frames",
    (file) => [
      [...made({ seconds: 4 }), file("whole.mp4")],
      [
        ...words("-itsoffset 0.5 -i"),
        file("whole.mp4"),
        "-i",
        file("whole.mp4"),
        ...words("-map 0:v -map 1:a -c copy"),
      ],
    ],
  ],
  [
    "parameter sets that change",
    "parameters",
    (file) => [
      [...made({ seconds: 2, more: "-an -bf 0" }), ...words("-f h264"), file("a.h264")],
      [...made({ seconds: 2, more: "-an -bf 0 -refs 4 -level 3.1" }), ...words("-f h264"), file("b.h264")],
      [...words("-f h264 -r 30 -i"), `concat:${file("a.h264")}|${file("b.h264")}`, ...words("-c copy")],
    ],
  ],
]

const rejectedAudio: ReadonlyArray<
  readonly [name: string, reasons: ReadonlyArray<string>, steps: Steps, changes?: Partial<TranscodeOptions>]
> = [
  ["another codec", ["codec"], one({ audio: "-c:a libmp3lame" })],
  // They become two tracks, stereo and 5.1.
  ["six channels", ["channels", "channels"], one({ audio: "-c:a aac -ac 6" })],
  ["another sample rate", ["sample rate"], one({ audio: "-c:a aac -ar 32000 -b:a 48k" })],
  [
    "a high bit rate",
    ["bit rate"],
    one({ filter: "null", audio: "-c:a aac -b:a 256k -af aeval=random(0)|random(1),aformat=cl=stereo" }),
  ],
  ["a target loudness", ["loudness"], one({}), { loudness: -16 }],
  [
    "a gap",
    ["gaps"],
    (file) => [
      [...made({ seconds: 4 }), file("whole.mp4")],
      ["-i", file("whole.mp4"), ...words("-c copy -bsf:a noise=drop='between(n,50,60)'")],
    ],
  ],
]

describe.skipIf(isFfmpegMissing)("Passthrough", () => {
  layer(programs, { excludeTestServices: true })((it) => {
    it.effect("copies video and audio of a source that meets every condition", () =>
      Effect.gen(function* () {
        const { videoRejectReason, plan, audioRejectReasons } = yield* decide(one({}))
        assert.deepStrictEqual([videoRejectReason, audioRejectReasons], [undefined, [undefined]])
        assert.deepStrictEqual(plan.passthrough, { audioTracks: [0], video: { keyFrames: "grid" } })
      }),
    )

    for (const [name, reason, steps, file] of rejectedVideos) {
      it.effect(`encodes video with ${name}`, () =>
        Effect.gen(function* () {
          const { videoRejectReason, plan } = yield* decide(steps, {}, file)
          assert.strictEqual(videoRejectReason, reason)
          assert.isUndefined(plan.passthrough?.video)
        }),
      )
    }
    for (const [name, reasons, steps, changes] of rejectedAudio) {
      it.effect(`encodes audio with ${name}`, () =>
        Effect.gen(function* () {
          const { plan, audioRejectReasons } = yield* decide(steps, changes)
          assert.deepStrictEqual(audioRejectReasons, reasons)
          assert.strictEqual(plan.passthrough?.audioTracks.includes(0) ?? false, false)
        }),
      )
    }
  })

  layer(pipeline({ ladder }), { excludeTestServices: true })((it) => {
    const send = Effect.fnUntraced(function* (
      name: string,
      source: Source,
      attempt: UploadAttempt = { fencingToken: 1, priorAttempts: 0 },
    ) {
      const { folder, source: file } = yield* make(one(source), "source.mp4")
      const { processUpload } = yield* UploadPipeline
      const outcome = yield* processUpload(uploaded(name, yield* storeUpload(`uploads/${name}.mp4`, file)), attempt)
      if (outcome._tag !== "Ready") return yield* Effect.die(new Error("superseded"))
      yield* fetchAll(prefixOf(outcome.ready), `${folder}/stream`)
      const report = yield* check(`${folder}/stream`)
      assert.deepStrictEqual(report.faults, [])
      return report
    })
    /** The source has the Main profile; encoded renditions have High. */
    const isMain = (codecs: string | undefined) => codecs?.startsWith("avc1.4D") === true
    const cases: ReadonlyArray<readonly [name: string, source: Source]> = [
      ["with key frames on the grid", { seconds: 9 }],
      ["with a key frame every second", { seconds: 9, gop: 30 }],
      ["at 29.97 frames a second", { seconds: 9, rate: "30000/1001", gop: 30 }],
      ["with an unusual GOP length", { seconds: 9, gop: 21 }],
      ["in portrait, without audio, at 25", { seconds: 5, size: "180x320", rate: "25", gop: 50, more: "-an" }],
      ["with mono audio", { seconds: 5, audio: "-c:a aac -b:a 64k -ac 1" }],
    ]
    for (const [name, source] of cases) {
      it.effect(`makes a stream that passes the checker ${name}`, () =>
        Effect.gen(function* () {
          const { variants } = yield* send(name.replaceAll(/[^a-z]/g, "-"), source)
          assert.deepStrictEqual(
            variants.map(({ codecs }) => isMain(codecs)),
            [true, false],
          )
        }),
      )
    }

    it.effect("encodes all tracks at the second attempt", () =>
      Effect.gen(function* () {
        const { variants } = yield* send("second", { seconds: 2 }, { fencingToken: 2, priorAttempts: 1 })
        assert.isFalse(isMain(variants[0]?.codecs))
      }),
    )
  })

  layer(pipeline({ ladder, passthrough: false }), { excludeTestServices: true })((it) => {
    it.effect("encodes all tracks if the setting is off", () =>
      Effect.gen(function* () {
        const { folder, source } = yield* make(one({ seconds: 2 }), "source.mp4")
        const { processUpload } = yield* UploadPipeline
        const outcome = yield* processUpload(uploaded("off", yield* storeUpload("uploads/off.mp4", source)), {
          fencingToken: 1,
        })
        if (outcome._tag !== "Ready") return yield* Effect.die(new Error("superseded"))
        yield* fetchAll(prefixOf(outcome.ready), `${folder}/stream`)
        const { variants } = yield* check(`${folder}/stream`)
        assert.match(variants[0]?.codecs ?? "", /^avc1\.64/)
      }),
    )
  })
})

describe("PacketAnalyzer", () => {
  it("a rendition accepts the peaks that the encoder's buffer allows, and no higher ones", () => {
    const segments = (...kilobits: ReadonlyArray<number>) =>
      kilobits.map((rate) => ({ name: "", seconds: 4, bytes: rate * 500 }))
    assert.isTrue(fitsBitrate(segments(100, 100, 100), 100))
    assert.isFalse(fitsBitrate(segments(101, 101, 101), 100))
    assert.isTrue(fitsBitrate(segments(50, 140, 50), 100))
    assert.isFalse(fitsBitrate(segments(50, 160, 50), 100))
  })

  it("audio is copied only if it begins with its first sample", () => {
    // regression: after a priming of 2112 samples, the first whole packet was copied 22 ms late
    const reasonOf = (priming: number) => {
      const analyzer = new AudioPacketAnalyzer()
      const read = packetParser()
      const times = Array.from({ length: 20 }, (_, index) => index * 1024 - priming)
      for (const line of ["#tb 0: 1/44100", ...times.map((time) => `0, ${time}, ${time}, 1024, 100, 0xab`)]) {
        const packet = read(line)
        if (packet !== undefined) analyzer.add(packet)
      }
      return analyzer.finish()
    }
    assert.strictEqual(reasonOf(2112), "late start")
    assert.isUndefined(reasonOf(1024))
    assert.isUndefined(reasonOf(0))
  })

  it("a gap of years in the timestamps allocates no memory", () => {
    const analyzer = new VideoPacketAnalyzer({ num: 30, den: 1 })
    const read = packetParser()
    for (const line of ["#tb 0: 1/30", "0, 0, 0, 1, 100, 0xab", "0, 1, 99999999999, 1, 100, 0xab, F=0x0"]) {
      const packet = read(line)
      if (packet !== undefined) analyzer.add(packet)
    }
    assert.strictEqual(analyzer.finish().rejectReason, "uneven frames")
  })
})
