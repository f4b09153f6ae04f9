/** Films in parts on the worker loop: what a publisher and a listener see, also where something goes wrong. */
import { event, ephemeral, work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { TransientError } from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import type { AnyEvent, EventOf } from "@armoricore/domain/EventRegistry"
import { ScratchDir } from "@armoricore/ffmpeg/ScratchDir"
import * as MediaService from "@armoricore/media/pipeline/MediaService"
import { Quota } from "@armoricore/media/pipeline/Quota"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import * as Testing from "@armoricore/testing/Testing"
import { RetryPolicy } from "@armoricore/worker"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, FileSystem, Layer, Logger, Option, Schedule, Stream } from "effect"
import { ffmpeg, h264, testVideo, tone } from "../support/Clips.ts"
import { isFfmpegMissing, options, programs, storeUpload, uploaded, playbackUrls } from "../support/Pipeline.ts"

/** What happened to the storage, and what is to happen. */
class Faults {
  readonly puts: Array<string> = []
  refuse: (key: string) => boolean = () => false
}

const chargesOf = (charges: Array<string>) =>
  Layer.succeed(Quota, { charge: (userId) => Effect.sync(() => void charges.push(userId)) })

/** One process that takes a part at a time. */
const service = (trouble: Faults, charges: Array<string> = []) => {
  const storage = Layer.effect(
    ObjectStorage,
    Effect.map(ObjectStorage, (real) =>
      ObjectStorage.of({
        ...real,
        put: (ref, body, how) => {
          trouble.puts.push(ref.key)
          return trouble.refuse(ref.key)
            ? Effect.fail(
                new TransientError({ dependency: "storage", code: "unavailable", message: "the storage is away" }),
              )
            : real.put(ref, body, how)
        },
      }),
    ),
  )
  return Layer.unwrap(
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const all = {
        ...options,
        chunks: { minDuration: 10, chunkSeconds: 4, concurrency: 1 },
        publishTimeout: Duration.millis(1),
      }
      const transcode = UploadPipeline.layer(all).pipe(
        Layer.provide(ScratchDir.layer(yield* fs.makeTempDirectoryScoped())),
        Layer.provide(chargesOf(charges)),
      )
      return Layer.provideMerge(MediaService.layerNoDeps(all), transcode)
    }),
  ).pipe(
    Layer.provideMerge(Layer.provideMerge(storage, Layer.mergeAll(Testing.layer, playbackUrls))),
    Layer.provide(
      Layer.mergeAll(
        Layer.succeed(RetryPolicy, { maxAttempts: 2, base: Duration.millis(10), cap: Duration.millis(20) }),
        Logger.layer([]),
      ),
    ),
    Layer.provideMerge(programs),
  )
}

const publish = Effect.fnUntraced(function* (message: EventOf<"media.uploaded">) {
  const bus = yield* EventBus
  const body = new TextEncoder().encode(JSON.stringify(message))
  yield* bus.publish({ address: event("media.uploaded"), id: message.event_id, body })
})

/** Asks as the API does. */
const ask = Effect.fnUntraced(function* (kind: string, id: string, payload: object) {
  const bus = yield* EventBus
  const body = new TextEncoder().encode(JSON.stringify({ cause_id: id, payload }))
  yield* bus.publish({ address: work("media", kind), id, body })
})

/** Everything told about media from now on. */
const listen = Effect.gen(function* () {
  const bus = yield* EventBus
  const bodies: Array<Uint8Array> = []
  yield* bus.subscribe("all-events", ({ body }) => void bodies.push(body))
  yield* bus.subscribe(ephemeral("media.>"), ({ body }) => void bodies.push(body))
  return Effect.map(
    Effect.forEach(bodies, (body) => Effect.option(EventCodec.decode(body))),
    (found): ReadonlyArray<AnyEvent> => found.flatMap((one) => (Option.isSome(one) ? [one.value.event] : [])),
  ).pipe((heard) => Effect.suspend(() => heard))
})

const until = <E, R>(is: Effect.Effect<boolean, E, R>) =>
  Effect.retry(
    Effect.filterOrFail(
      is,
      (yes) => yes,
      () => new Error("not yet"),
    ),
    { schedule: Schedule.spaced("50 millis"), times: 1200 },
  )

const eventsOf = (heard: Effect.Effect<ReadonlyArray<AnyEvent>>, type: string) =>
  Effect.map(heard, (all) => all.filter((one) => one.event_type === type))

const keysBelow = Effect.fnUntraced(function* (prefix: string) {
  const storage = yield* ObjectStorage
  return (yield* Stream.runCollect(storage.list("media", prefix))).map(({ key }) => key)
})

const uploadLongVideo = Effect.fnUntraced(function* (id: string, seconds: number) {
  const fs = yield* FileSystem.FileSystem
  const file = yield* fs.makeTempFileScoped({ suffix: ".mp4" })
  yield* ffmpeg([...testVideo({ size: "96x64", rate: "25", seconds }), ...tone(seconds), ...h264, "-c:a", "aac", file])
  return uploaded(id, yield* storeUpload(`uploads/${id}.mp4`, file))
})

describe.skipIf(isFfmpegMissing)("ChunkService", () => {
  it.live("plays before it is ready, counts up, and leaves nothing but the stream", () =>
    Effect.gen(function* () {
      const heard = yield* listen
      yield* publish(yield* uploadLongVideo("film", 22))
      yield* until(Effect.map(eventsOf(heard, "media.ready"), ({ length }) => length > 0))
      const told = (yield* heard).filter(({ event_type }) => event_type !== "media.progress")
      assert.deepStrictEqual(
        told.map(({ event_type }) => event_type),
        ["media.uploaded", "media.playable", "media.ready"],
      )
      const percents = (yield* heard).flatMap((one) =>
        one.event_type === "media.progress" ? [one.payload.percent] : [],
      )
      assert.deepStrictEqual(
        percents,
        [...percents].sort((a, b) => a - b),
      )
      assert.isAbove(percents.length, 5)
      const keys = yield* keysBelow("media/film/")
      assert.isFalse(keys.some((key) => key.includes("/chunks/")))
      const storage = yield* ObjectStorage
      const key = keys.find((one) => one.endsWith("64p/playable.m3u8")) ?? ""
      const { body } = yield* storage.get({ bucket: "media", key })
      const text = Buffer.concat(yield* Stream.runCollect(body)).toString()
      // Whoever began to watch early finds the end of the film too.
      assert.include(text, "00005.m4s")
      assert.include(text, "#EXT-X-ENDLIST")
    }).pipe(Effect.provide(service(new Faults())), Effect.scoped),
  )

  it.live("cancels every part, and tells so once", () =>
    Effect.gen(function* () {
      const heard = yield* listen
      yield* publish(yield* uploadLongVideo("long", 160))
      yield* until(Effect.map(eventsOf(heard, "media.playable"), ({ length }) => length > 0))
      yield* ask("control", "00000000-0000-4000-9000-000000000001", { action: "cancel", media_id: "long" })
      yield* until(Effect.map(eventsOf(heard, "media.failed"), ({ length }) => length > 0))
      assert.include(JSON.stringify(yield* eventsOf(heard, "media.failed")), '"cancelled"')
      yield* until(Effect.map(keysBelow("media/long/"), ({ length }) => length === 0))
      const states = yield* Collection.make(mediaStates)
      yield* until(Effect.map(states.get("long"), (found) => Option.getOrUndefined(found)?.value.status === "failed"))
      const before = (yield* eventsOf(heard, "media.progress")).length
      // What was handed out is taken and dropped; none of it begins to encode.
      yield* Effect.sleep("1 second")
      assert.isAtMost((yield* eventsOf(heard, "media.progress")).length - before, 0)
      assert.deepStrictEqual(yield* keysBelow("media/long/"), [])
      assert.strictEqual((yield* eventsOf(heard, "media.failed")).length, 1)
    }).pipe(Effect.provide(service(new Faults())), Effect.scoped),
  )

  it.live(
    "fails once where a part cannot be made, and makes only what is missing when asked again, free of charge",
    () => {
      const trouble = new Faults()
      const charges: Array<string> = []
      return Effect.gen(function* () {
        const bus = yield* EventBus
        const heard = yield* listen
        trouble.refuse = (key) => /\/parts\/2-/.test(key)
        yield* publish(yield* uploadLongVideo("again", 22))
        yield* until(Effect.map(eventsOf(heard, "media.failed"), ({ length }) => length > 0))
        assert.include(JSON.stringify(yield* eventsOf(heard, "media.failed")), '"unavailable"')
        const states = yield* Collection.make(mediaStates)
        yield* until(
          Effect.map(states.get("again"), (found) => Option.getOrUndefined(found)?.value.status === "failed"),
        )
        assert.strictEqual((yield* bus.deadLetters.list({ limit: 10 })).length, 1)

        const made = new Set(trouble.puts.flatMap((key) => /\/parts\/([^-]+)-/.exec(key)?.[1] ?? []))
        trouble.refuse = () => false
        trouble.puts.length = 0
        yield* ask("retry", "00000000-0000-4000-9000-000000000002", { media_id: "again", user_id: "u1" })
        yield* until(Effect.map(eventsOf(heard, "media.ready"), ({ length }) => length > 0))
        const anew = new Set(trouble.puts.flatMap((key) => /\/parts\/([^-]+)-/.exec(key)?.[1] ?? []))
        assert.isTrue(anew.has("2"))
        // Those that were done before are taken over; those that were never begun are made now.
        for (const part of ["0", "audio", "1"]) assert.isTrue(made.has(part) && !anew.has(part), part)
        assert.deepStrictEqual(charges, ["u1"])
        // What the failed try wrote is gone.
        const prefixes = new Set((yield* keysBelow("media/again/")).map((key) => key.split("/")[2]))
        assert.strictEqual(prefixes.size, 1)
      }).pipe(Effect.provide(service(trouble, charges)), Effect.scoped)
    },
  )
})
