/**
 * What it costs to make a film in chunks, and what a second machine brings. CPU: the same source in one run and in
 * chunks, one after the other. Wall: worker processes held to one core each, on NATS and a shared folder.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { mediaJobs, mediaParts } from "@armoricore/media/chunks/ChunkJobs"
import { Transcode } from "@armoricore/media/Transcode"
import { KeyValue } from "@armoricore/state/KeyValue"
import { mediaStates } from "@armoricore/state/MediaStates"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import * as NatsServer from "@armoricore/testing/NatsServer"
import * as Programs from "@armoricore/testing/Programs"
import { ledgerBucket } from "@armoricore/worker/Ledger"
import { pauses } from "@armoricore/worker/Switchboard"
import { Effect, FileSystem, Path } from "effect"
import { portsOf } from "../../packages/media/test/support/ChunkWorker.ts"
import * as Results from "../Results.ts"
import { type Cost, measured } from "../Cost.ts"
import { byHand, least, uploaded } from "./Measure.ts"

/** What one process makes: fewer borders, as in a real film. */
const longChunk = 16
/** What workers share: pieces of one size, so that none of them is left with the last. */
const chunkSeconds = 8

/** In this process, a part after the other. */
const inParts = Effect.gen(function* () {
  const media = yield* Transcode
  const message = uploaded("long.mp4", "parts")
  const mediaId = message.payload.media_id
  const begun = yield* media.transcode(message, { token: 1 })
  if (begun._tag !== "Chunked") return yield* Effect.die(new Error(begun._tag))
  const { version } = begun
  for (const part of begun.parts) {
    const quiet = { onProgress: () => Effect.void, announce: () => Effect.void }
    yield* media.part({ mediaId, version, part, token: 1, ...quiet })
  }
  const outcome = yield* media.join({ mediaId, version })
  if (outcome._tag !== "Ready") return yield* Effect.die(new Error(outcome._tag))
})

const inOneRun = Effect.gen(function* () {
  const outcome = yield* (yield* Transcode).transcode(uploaded("long.mp4", "whole"), { token: 1 })
  if (outcome._tag !== "Ready") return yield* Effect.die(new Error(outcome._tag))
})

const worker = (core: number, nats: string, folder: string) =>
  Effect.acquireRelease(
    Effect.callback<ChildProcess>((resume) => {
      const program = new URL("../../packages/media/test/support/ChunkWorker.ts", import.meta.url).pathname
      const child = spawn("taskset", ["-c", String(core), process.execPath, program], {
        env: { ...process.env, CHUNK_WORKER: `${nats} ${folder} ${chunkSeconds}` },
        stdio: ["ignore", "pipe", "inherit"],
      })
      child.stdout.once("data", () => resume(Effect.succeed(child)))
    }),
    (child) =>
      Effect.callback<void>((resume) => {
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGTERM")
      }),
  )

/** From the upload's event to `media.ready`, with workers that are there already. */
const withWorkers = Effect.fnUntraced(function* (cores: ReadonlyArray<number>, bytes: Uint8Array) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-bench-" })
  const { url: nats } = yield* NatsServer.make()
  return yield* Effect.gen(function* () {
    const bus = yield* EventBus
    const state = yield* KeyValue
    const storage = yield* ObjectStorage
    yield* storage.setup("media")
    yield* state.setup([ledgerBucket, mediaStates.bucket, mediaJobs.bucket, mediaParts.bucket, pauses.bucket])
    yield* bus.setup([{ name: "media-media-uploaded", from: event("media.uploaded") }])
    yield* storage.put<never, never>({ bucket: "media", key: "long.mp4" }, bytes, { contentType: "video/mp4" })
    let wall = 0
    const cost = yield* measured(
      Effect.scoped(
        Effect.gen(function* () {
          yield* Effect.forEach(cores, (core) => worker(core, nats, folder))
          const message = uploaded("long.mp4", "workers")
          const started = performance.now()
          const ready = Effect.callback<void, never>((resume) => {
            Effect.runFork(
              Effect.scoped(
                Effect.andThen(
                  bus.listen(event("media.ready"), () => resume(Effect.void)),
                  Effect.never,
                ),
              ),
            )
          })
          const body = new TextEncoder().encode(JSON.stringify(message))
          yield* bus.publish({ address: event("media.uploaded"), id: message.event_id, body })
          yield* ready
          wall = (performance.now() - started) / 1000
        }),
      ),
    )
    return { cpu: cost.cpu, wall } satisfies Cost
  }).pipe(Effect.provide(portsOf({ nats, folder })))
}, Effect.scoped)

/** Tables, and sentences about the aims. */
export const run = Effect.fn("bench.chunks")(function* (folder: string, seconds: number, rounds: number, size: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const storage = yield* ObjectStorage
  const source = path.join(folder, "long.mp4")
  yield* byHand(
    [
      ...`-v error -f lavfi -i mandelbrot=s=${size}:r=30 -f lavfi -i sine=440 -t ${seconds}`.split(" "),
      ...`-vf noise=alls=12:allf=t,format=yuv420p -c:v libx264 -preset veryfast -b:v 18M -maxrate 20M`.split(" "),
      ...`-bufsize 20M -g 75 -c:a aac ${source}`.split(" "),
    ],
    folder,
  )
  const bytes = yield* fs.readFile(source)
  yield* storage.put<never, never>({ bucket: "media", key: "long.mp4" }, bytes, { contentType: "video/mp4" })
  const both = { bucket: "media", sourceBuckets: ["media"], copy: false }
  const chunks = { from: longChunk, seconds: longChunk }
  const costs: Record<"parts" | "whole" | "one" | "two", Array<Cost>> = { parts: [], whole: [], one: [], two: [] }
  const canPin = !Programs.need("nats-server").missing && Programs.find("taskset") !== undefined
  for (let round = 1; round <= rounds; round++) {
    costs.parts.push(yield* measured(Effect.provide(inParts, Transcode.layer({ ...both, chunks }))))
    costs.whole.push(yield* measured(Effect.provide(inOneRun, Transcode.layer(both))))
    if (!canPin) continue
    costs.one.push(yield* withWorkers([0], bytes))
    costs.two.push(yield* withWorkers([0, 1], bytes))
  }
  const row = (name: string, of: ReadonlyArray<Cost>) => [
    name,
    least(of, "cpu").toFixed(1),
    least(of, "wall").toFixed(1),
  ]
  const cpu = (least(costs.parts, "cpu") / least(costs.whole, "cpu")).toFixed(2)
  const speed = canPin ? (least(costs.one, "wall") / least(costs.two, "wall")).toFixed(2) : "not measured"
  return [
    `Source: ${size}, 30 frames a second, ${seconds} s, cut into ${longChunk} s in one process, and into ${chunkSeconds} s for workers.`,
    "",
    Results.table([
      ["case", "CPU s", "wall s"],
      row("in one run", costs.whole),
      row("in chunks, one after the other", costs.parts),
      ...(canPin
        ? [row("one worker process held to one core (CPU with its start)", costs.one), row("two of them", costs.two)]
        : []),
    ]),
    "",
    `Chunked CPU: ${cpu} of one run; aim: at most 1.1. Two workers: ${speed} times as fast as one; aim: at least 1.7.`,
  ].join("\n")
})
