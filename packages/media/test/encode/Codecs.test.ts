/**
 * Codecs, chunks, passthrough, protection and HDR together: each pair of their values occurs in a small upload, and the
 * checker reads all of its output.
 */
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { requiredEncoders, withDefaultCodec } from "@armoricore/media/encode/codecs/Codecs"
import type { Ladder } from "@armoricore/media/encode/Ladder"
import * as DashManifest from "@armoricore/media/packaging/DashManifest"
import * as MasterPlaylist from "@armoricore/media/packaging/MasterPlaylist"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import * as ContentKeys from "@armoricore/media/protection/ContentKeys"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it, layer } from "@effect/vitest"
import { Duration, Effect, FileSystem, Layer, Path, Redacted } from "effect"
import { ffmpeg, hdrVideo, testVideo, tone } from "../support/Clips.ts"
import { fetchAll, isFfmpegMissing, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts"
import { run } from "../support/RunFfmpeg.ts"
import { check } from "../support/StreamChecker.ts"

const ladder: Ladder = [{ shortSide: 72, kilobits: 200 }]
const secret = Redacted.make("a secret of the test")
/** An ffmpeg whose encoders place key frames where they are asked to. */
const programs = FfmpegPrograms.layer({ encoders: requiredEncoders(["h264", "hevc", "av1"]) }).pipe(
  Layer.provide(NodeServices.layer),
  Layer.orDie,
)
const ofTheSystem = Layer.effect(FfmpegPrograms, FfmpegPrograms)
const anyStorage = Layer.effect(ObjectStorage, ObjectStorage)
const words = (text: string) => text.split(" ")

const bt709 = "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv"
const sources = {
  SDR: [
    "-vf",
    "setparams=range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709",
    ...words(`-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 20 -bf 0 -crf 35 ${bt709}`),
  ],
  HDR10: hdrVideo("smpte2084"),
  HLG: hdrVideo("arib-std-b67"),
} as const

/** The values of each property of an upload. */
const properties = {
  codecs: ["h264", "h264,hevc", "h264,av1", "h264,hevc,av1"],
  way: ["in one run", "in chunks"],
  picture: ["encoded", "copied"],
  protection: ["not protected", "aes-128", "cbcs"],
  source: ["SDR", "HDR10", "HLG"],
} as const
type Property = keyof typeof properties
type Combination = { readonly [P in Property]: (typeof properties)[P][number] }

const combinations = (
  [
    ["h264", "in one run", "copied", "aes-128", "SDR"],
    ["h264,hevc", "in one run", "copied", "cbcs", "SDR"],
    ["h264,av1", "in one run", "copied", "not protected", "SDR"],
    ["h264,hevc,av1", "in one run", "copied", "aes-128", "SDR"],
    ["h264", "in chunks", "encoded", "not protected", "SDR"],
    ["h264", "in one run", "encoded", "not protected", "HDR10"],
    ["h264,hevc", "in chunks", "encoded", "aes-128", "HDR10"],
    ["h264,av1", "in chunks", "encoded", "cbcs", "HDR10"],
    ["h264,hevc,av1", "in one run", "encoded", "not protected", "HDR10"],
    ["h264", "in one run", "encoded", "cbcs", "HLG"],
    ["h264,hevc", "in one run", "encoded", "not protected", "HLG"],
    ["h264,av1", "in one run", "encoded", "aes-128", "HLG"],
    ["h264,hevc,av1", "in chunks", "encoded", "cbcs", "HLG"],
  ] as const
).map(([codecs, way, picture, protection, source]): Combination => ({ codecs, way, picture, protection, source }))

/** Pairs of values that no upload can have. `passthrough` is on in all combinations, so nothing is copied in these. */
const impossible: Readonly<Record<string, string>> = {
  "in chunks + copied": "every frame of a chunk is encoded",
  "copied + HDR10": "only H.264 with 8 bit is copied",
  "copied + HLG": "only H.264 with 8 bit is copied",
}

/** Each pair of values of two properties, as text. */
const allPairs = Object.values(properties).flatMap((values, at, all) =>
  all.slice(at + 1).flatMap((others) => values.flatMap((value) => others.map((other) => `${value} + ${other}`))),
)
const pairsOf = (combination: Combination) => {
  const values = [combination.codecs, combination.way, combination.picture, combination.protection, combination.source]
  return values.flatMap((value, at) => values.slice(at + 1).map((other) => `${value} + ${other}`))
}

const ranges = { SDR: "SDR", HDR10: "PQ", HLG: "HLG" }
const transfers = { SDR: 1, HDR10: 16, HLG: 18 }

const encode = Effect.fnUntraced(function* (event: ReturnType<typeof uploaded>) {
  const { concatChunks, encodeChunk, processUpload } = yield* UploadPipeline
  const outcome = yield* processUpload(event, { fencingToken: 1 })
  if (outcome._tag !== "Chunked") return { isChunked: false, outcome }
  const request = { mediaId: event.payload.media_id, version: outcome.version }
  const [onProgress, publishPlayable] = [() => Effect.void, () => Effect.void]
  for (const chunk of [...outcome.chunks].reverse())
    yield* encodeChunk({ ...request, chunk, fencingToken: 7, onProgress, publishPlayable })
  return { isChunked: true, outcome: yield* concatChunks(request) }
})

describe.skipIf(isFfmpegMissing)("Codecs", () => {
  it("the combinations contain every possible pair of codecs, chunks, passthrough, protection and HDR", () => {
    const covered = new Set(combinations.flatMap(pairsOf))
    const missing = allPairs.filter((pair) => !covered.has(pair))
    for (const pair of missing) console.info(`left out: ${pair}, because ${impossible[pair]}`)
    assert.deepStrictEqual(missing, Object.keys(impossible))
  })

  for (const combination of combinations) {
    const { picture, source, way } = combination
    const codecs = combination.codecs.split(",")
    const scheme = combination.protection === "not protected" ? undefined : combination.protection
    const options = {
      codecs,
      ladder,
      thumbnails: 1,
      storyboard: false,
      ...(way === "in chunks" ? { chunks: { minDuration: 10, chunkSeconds: 8 } } : {}),
      ...(scheme === undefined ? {} : { protection: { scheme, secret, period: Duration.seconds(4) } }),
    }
    layer(pipeline(options, anyStorage, codecs.includes("av1") ? programs : ofTheSystem), {
      excludeTestServices: true,
      timeout: "60 seconds",
    })((it) => {
      it.effect(Object.values(combination).join(", "), () =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const path = yield* Path.Path
          const folder = yield* fs.makeTempDirectoryScoped()
          const file = path.join(folder, "source.mp4")
          const seconds = way === "in chunks" ? 12 : 5
          const clip = [...testVideo({ size: "128x72", rate: "10", seconds }), ...tone(seconds), ...sources[source]]
          yield* ffmpeg([...clip, ...words("-c:a aac -b:a 96k -ar 48000"), file])
          const event = uploaded("film", yield* storeUpload("uploads/film.mp4", file))
          const { isChunked, outcome } = yield* encode(event)
          assert.strictEqual(isChunked, way === "in chunks")
          if (outcome._tag !== "Ready") return yield* Effect.die(new Error(outcome._tag))
          const stream = path.join(folder, "stream")
          yield* fetchAll(prefixOf(outcome.ready), stream)
          const keys = yield* Effect.flatMap(ContentKeys.makeReader(secret), (read) => read("film"))
          assert.strictEqual(keys.length, scheme === undefined ? 0 : Math.ceil(seconds / 4))
          const { faults } = yield* check(
            stream,
            keys.map(({ key }) => key),
          )
          assert.deepStrictEqual(faults, [])
          assert.deepStrictEqual(outcome.ready.resolutions, ["72p"])
          const master = yield* fs.readFileString(path.join(stream, "master.m3u8"))
          for (const [index, codec] of codecs.entries()) {
            const range = index === 0 ? "SDR" : ranges[source]
            const family = { h264: "avc1", hevc: "hvc1", av1: "av01" }[codec]
            const lines = master.split("\n").filter((line) => line.includes(`CODECS="${family}`))
            // A variant and its I-frame playlist.
            assert.lengthOf(lines, 2)
            // The source has the Constrained Baseline profile, and encoded renditions have High.
            if (index === 0) assert.include(lines[0], picture === "copied" ? 'CODECS="avc1.42' : 'CODECS="avc1.64')
            for (const line of lines) {
              assert.include(line, `VIDEO-RANGE=${range}`)
              if (codecs.length > 1) assert.include(line, `SCORE=1.${index}`)
            }
          }
          if (codecs.includes("hevc")) {
            // HDR10 keeps what its mastering display was; the pixels have ten bits.
            const init = yield* fs.readFile(path.join(stream, "72p-hevc/init.mp4"))
            const segment = yield* fs.readFile(path.join(stream, "72p-hevc/00000.m4s"))
            const clear = path.join(folder, "hevc.mp4")
            yield* fs.writeFile(clear, Buffer.concat([init, segment]))
            const entries = "stream=pix_fmt,color_transfer,color_primaries"
            const { stdout } = yield* run("ffprobe", ["-v", "quiet", "-show_entries", entries, "-of", "csv=p=0", clear])
            assert.include(stdout, source === "SDR" ? "yuv420p," : "yuv420p10le,")
            if (scheme === undefined && source === "HDR10") {
              const frame = yield* run("ffprobe", words(`-v quiet -show_frames -read_intervals %+#1 ${clear}`))
              assert.match(frame.stdout, /red_x=34000\/50000[^]*max_content=1000/)
            }
          }
          if (scheme === "aes-128") return
          const dash = yield* fs.readFileString(path.join(stream, "manifest.mpd"))
          assert.strictEqual(dash.match(/contentType="video"/g)?.length, codecs.length)
          const isHdr = source !== "SDR" && codecs.length > 1
          const transfer = `cicp:TransferCharacteristics" value="${transfers[isHdr ? source : "SDR"]}"`
          const element = isHdr ? "EssentialProperty" : "SupplementalProperty"
          assert.match(dash, new RegExp(`<${element} schemeIdUri="urn:mpeg:mpegB:${transfer}`))
          const priorities = [...dash.matchAll(/selectionPriority="(\d)"/g)].map(([, priority]) => Number(priority))
          // Of SDR the last codec is the best one. H.264, the only one in SDR beside HDR, goes before that.
          const order = codecs.map((_, index) => (isHdr ? (index === 0 ? codecs.length : index) : index + 1))
          assert.deepStrictEqual(priorities, codecs.length === 1 ? [] : order)
        }).pipe(Effect.scoped),
      )
    })
  }
})

describe("withDefaultCodec", () => {
  it("always begins with the codec that every player decodes", () => {
    assert.deepStrictEqual(withDefaultCodec(["av1", "hevc", "av1"]), ["h264", "av1", "hevc"])
    assert.deepStrictEqual(withDefaultCodec(["h264"]), ["h264"])
    assert.isUndefined(withDefaultCodec(["h264", "vp9"]))
  })

  it("a stream of one codec has no scores and priorities", () => {
    const rendition = {
      name: "72p",
      width: 128,
      height: 72,
      frameRate: { num: 25, den: 1 },
      codec: "avc1.64001F",
      timescale: 90_000,
      segments: [{ name: "0", seconds: 4, bytes: 1_000 }],
    }
    assert.notInclude(MasterPlaylist.render([rendition], []), "SCORE")
    const manifest = { renditions: [rendition], audioTracks: [], seconds: 4 }
    assert.notInclude(DashManifest.render(manifest), "selectionPriority")
  })
})
