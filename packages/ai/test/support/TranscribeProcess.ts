/**
 * A process that transcribes a long recording with a fast fake engine; a test kills it. Arguments: the folder of the
 * objects, the key of the recording, the event id. Prints a line for each chunk, and a line of JSON at the end.
 */
import { SpeechEngine } from "@armoricore/ai/SpeechEngine"
import * as SpeechEngines from "@armoricore/ai/SpeechEngines"
import { Transcriber } from "@armoricore/ai/Transcriber"
import { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir"
import * as MemoryState from "@armoricore/state/memory/MemoryState"
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls"
import * as ToneSpeech from "@armoricore/testing/fakes/ToneSpeech"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, FileSystem, Layer } from "effect"
import { localObjects } from "./LocalObjects.ts"

const [folder = "", key = "", event = ""] = process.argv.slice(2)

let calls = 0
const engine = Layer.effect(
  SpeechEngine,
  Effect.map(FileSystem.FileSystem, (fs) => ({
    name: "tones",
    model: "1",
    capabilities: {
      timestampGranularity: "words" as const,
      languages: "any" as const,
      detectsLanguage: false,
      diarization: false,
      quality: "standard" as const,
      maxChunkSeconds: 480,
      concurrency: 2,
    },
    transcribe: (audio: { readonly file: string }) =>
      Effect.gen(function* () {
        const bytes = yield* fs.readFile(audio.file)
        const samples = new Int16Array(bytes.buffer, bytes.byteOffset + 44, (bytes.byteLength - 44) / 2)
        yield* Console.log(`piece ${++calls}`)
        return { words: ToneSpeech.recognize(samples), segments: [] }
      }).pipe(Effect.orDie),
  })),
)

const ports = Layer.mergeAll(
  localObjects(folder),
  MemoryState.layer,
  Layer.succeed(PlaybackUrls, {
    keysFor: () => Effect.succeed({ url: "http://keys.invalid/keys", relative: "../keys" }),
    urlFor: ({ key }) => Effect.succeed(key),
  }),
)

Effect.gen(function* () {
  const { transcribe } = yield* Transcriber
  const complete = yield* transcribe(
    {
      event_type: "transcription.requested",
      event_id: event,
      timestamp: "2026-01-31T12:00:00Z",
      source: "php-backend",
      payload: { media_id: "long", user_id: "u1", source_file_path: `s3://media/${key}`, language: "en" },
    },
    { fencingToken: 1 },
  )
  const { maxRSS } = process.resourceUsage()
  yield* Console.log(JSON.stringify({ transcript: complete.transcript_file_path, calls, megabytes: maxRSS / 1024 }))
}).pipe(
  Effect.provide(
    Transcriber.layer({ bucket: "media", sourceBuckets: ["media"] }).pipe(
      Layer.provide(SpeechEngines.SpeechEngines.layer(engine)),
      Layer.provide(ScratchDir.layer(`${folder}-work`)),
      Layer.provide(ports),
      Layer.provide(FfmpegPrograms.layer()),
      Layer.provideMerge(NodeServices.layer),
    ),
  ),
  NodeRuntime.runMain,
)
