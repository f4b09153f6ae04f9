/** Worker processes are killed while they encode chunks; other workers continue their chunks. */
import "../support/NpmProgramsFirst.ts"
import { type ChildProcess, spawn } from "node:child_process"
import { event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import type { AnyEvent } from "@armoricore/domain/EventRegistry"
import { chunkedEncodes, chunkOutputs } from "@armoricore/media/chunked/ChunkedEncodes"
import { KeyValue } from "@armoricore/state/KeyValue"
import { mediaDeletions, mediaStates } from "@armoricore/state/MediaStates"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { erasingServices, erasures } from "@armoricore/state/ErasureStates"
import { ledgerBucket } from "@armoricore/worker/ledger/Ledger"
import { pauses } from "@armoricore/worker/control/CircuitRegistry"
import { mediaKeys } from "@armoricore/media/protection/ContentKeys"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { eventually } from "@armoricore/testing/Eventually"
import * as NatsServer from "@armoricore/testing/NatsServer"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Option, Path, Stream } from "effect"
import { type WorkerSetup, layerPorts } from "../support/ChunkWorkerProcess.ts"
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts"
import { fetchAll, isFfmpegMissing, prefixOf, programs, storeUpload, uploaded } from "../support/Pipeline.ts"
import { run } from "../support/RunFfmpeg.ts"
import { check } from "../support/StreamChecker.ts"

const nats = Programs.requireProgram("nats-server")

/** A worker process that has started; the scope kills it. */
const worker = ({ folder, nats: url }: WorkerSetup) =>
  Effect.acquireRelease(
    Effect.callback<ChildProcess>((resume) => {
      const child = spawn(process.execPath, [new URL("../support/ChunkWorkerProcess.ts", import.meta.url).pathname], {
        env: { ...process.env, CHUNK_WORKER: `${url} ${folder} 8` },
        stdio: ["ignore", "pipe", "inherit"],
      })
      child.once("exit", (code) => resume(Effect.die(new Error(`a worker exited with code ${code}`))))
      child.stdout.once("data", () => resume(Effect.succeed(child)))
    }),
    (child) => Effect.sync(() => void child.kill("SIGKILL")),
  )

describe.skipIf(isFfmpegMissing || nats.missing)("ChunkWorker", () => {
  it.live(
    "publishes a stream without gaps although workers are killed during their chunks",
    () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = yield* Path.Path
        const folder = yield* fs.makeTempDirectoryScoped({ prefix: "chunk-crash-" })
        const { url } = yield* NatsServer.make()
        const shared: WorkerSetup = { nats: url, folder }
        yield* Effect.gen(function* () {
          const bus = yield* EventBus
          const storage = yield* ObjectStorage
          yield* storage.setup("media")
          const state = yield* KeyValue
          yield* state.setup([
            ledgerBucket,
            mediaStates.bucket,
            mediaDeletions.bucket,
            transcriptStates.bucket,
            chunkedEncodes.bucket,
            chunkOutputs.bucket,
            mediaKeys.bucket,
            pauses.bucket,
            erasures.bucket,
            erasingServices.bucket,
          ])
          const received: Array<AnyEvent> = []
          const bodies: Array<Uint8Array> = []
          yield* bus.setup([{ name: "media-media-uploaded", from: event("media.uploaded") }])
          yield* bus.subscribe("all-events", ({ body }) => void bodies.push(body))
          const events = Effect.gen(function* () {
            for (const body of bodies.splice(0)) {
              const decoded = yield* Effect.option(EventCodec.decode(body))
              if (Option.isSome(decoded)) received.push(decoded.value.event)
            }
            return received
          })
          const file = path.join(folder, "film.mp4")
          const sizes = testVideo({ size: "320x180", rate: "25", seconds: 36 })
          yield* ffmpeg([...sizes, ...tone(36), ...h264, "-c:a", "aac", file])
          const message = uploaded("film", yield* storeUpload("uploads/film.mp4", file))
          const workers = [yield* worker(shared), yield* worker(shared)]
          const body = new TextEncoder().encode(JSON.stringify(message))
          yield* bus.publish({ address: event("media.uploaded"), id: message.event_id, body })
          const stagingFolders = Effect.map(
            Stream.runCollect(storage.list("media", "media/film/")),
            (found) => new Set(found.flatMap(({ key }) => /\/chunks\/([^/]+)\//.exec(key)?.[1] ?? [])),
          )
          let seen = 0
          for (let killed = 0; killed < 2; killed++) {
            // A worker has started another chunk: kill the older worker in the middle of its chunk.
            const folders = yield* eventually(stagingFolders, ({ size }) => size > seen, {
              interval: "50 millis",
              timeout: "1 minute",
            })
            seen = folders.size
            workers.shift()?.kill("SIGKILL")
            workers.push(yield* worker(shared))
          }
          yield* eventually(
            events,
            (all) => all.some(({ event_type }) => event_type === "media.ready" || event_type === "media.failed"),
            { interval: "200 millis", timeout: "2 minutes" },
          )
          const types = new Set((yield* events).map(({ event_type }) => event_type))
          assert.deepStrictEqual([...types].sort(), ["media.playable", "media.ready", "media.uploaded"])
          const ready = (yield* events).find((one) => one.event_type === "media.ready")
          if (ready?.event_type !== "media.ready") return yield* Effect.die(new Error("not ready"))
          const stream = path.join(folder, "stream")
          yield* fetchAll(prefixOf(ready.payload), stream)
          assert.deepStrictEqual((yield* check(stream)).faults, [])
          const frames = yield* run("ffprobe", [
            ..."-v error -select_streams v:0 -count_packets -show_entries stream=nb_read_packets -of csv=p=0".split(
              " ",
            ),
            path.join(stream, "180p/stream.m3u8"),
          ])
          assert.strictEqual(frames.stdout.trim().split("\n")[0], String(36 * 25))
          // The killed workers leave no files on the disk and no objects in storage.
          const own = yield* fs.readDirectory(path.join(folder, "work"))
          assert.strictEqual(own.length, workers.length)
          for (const name of own) assert.deepStrictEqual(yield* fs.readDirectory(path.join(folder, "work", name)), [])
          const keys = yield* Stream.runCollect(storage.list("media", "media/film/"))
          assert.isFalse(keys.some(({ key }) => key.includes("/chunks/")))
        }).pipe(Effect.provide(layerPorts(shared)))
      }).pipe(Effect.provide(programs), Effect.scoped),
    300_000,
  )
})
