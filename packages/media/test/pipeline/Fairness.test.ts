/** Clips do not wait for films, nor one user for the many uploads of another; in virtual time, without ffmpeg. */
import { EncodingPlan } from "@armoricore/media/encode/EncodingPlan"
import { event, work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { deriveId, resultEventId } from "@armoricore/domain/DeterministicId"
import type { EventOf, PayloadOf } from "@armoricore/domain/EventRegistry"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { classify, encodeCost, partitionKey } from "@armoricore/media/pipeline/WorkClass"
import * as MediaService from "@armoricore/media/pipeline/MediaService"
import { planRenditions as planLadder } from "@armoricore/media/encode/Ladder"
import { type UploadAttempt, UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import * as Testing from "@armoricore/testing/Testing"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Result } from "effect"
import { TestClock } from "effect/testing"

const longVideoSeconds = 180
const clipSeconds = 5
const isLongVideo = (id: string) => id.startsWith("film")

const readyOf = ({ media_id, user_id }: PayloadOf<"media.uploaded">): PayloadOf<"media.ready"> => ({
  media_id,
  user_id,
  playback_urls: { hls: `http://cdn.invalid/${media_id}`, mp4: {} },
  thumbnail_urls: [],
  duration: 1,
  resolutions: [],
  metadata: {},
})

/** Takes as long as ffmpeg would on a machine that it cannot fill: an encoding a second of its source. */
const fakes = (seen: Array<{ readonly id: string; readonly lane: UploadAttempt["workClass"]; readonly at: number }>) =>
  Layer.mock(UploadPipeline, {
    newestUpload: (mediaId) =>
      Effect.succeed({
        eventId: ids.get(mediaId) ?? "",
        upload: { media_id: mediaId, user_id: "u", file_path: "s3://a/b" },
      }),
    recordFailure: () => Effect.void,
    cancelChunks: () => Effect.void,
    processUpload: ({ payload }, claim) =>
      Effect.gen(function* () {
        seen.push({ id: payload.media_id, lane: claim.workClass, at: yield* Clock.currentTimeMillis })
        // It was looked at.
        yield* Effect.sleep("100 millis")
        if (claim.workClass === "short" && isLongVideo(payload.media_id)) return { _tag: "Long" } as const
        yield* Effect.sleep(`${isLongVideo(payload.media_id) ? longVideoSeconds : clipSeconds} seconds`)
        return { _tag: "Ready", ready: readyOf(payload), playableEvent: undefined } as const
      }),
  })

const ids = new Map<string, string>()

const uploaded = (mediaId: string, userId: string): EventOf<"media.uploaded"> => {
  const id = deriveId("fairness", mediaId)
  ids.set(mediaId, id)
  return {
    event_type: "media.uploaded",
    event_id: id,
    timestamp: "2026-01-31T12:00:00Z",
    source: "php-backend",
    payload: { media_id: mediaId, user_id: userId, file_path: `s3://media/${mediaId}.mp4` },
  }
}

const publish = Effect.fnUntraced(function* (message: EventOf<"media.uploaded">) {
  const bus = yield* EventBus
  const body = new TextEncoder().encode(JSON.stringify(message))
  yield* bus.publish({ address: event("media.uploaded"), id: message.event_id, body })
})

/** Lets virtual seconds pass one by one, as results lead to new work. */
const pass = (seconds: number) => Effect.repeat(TestClock.adjust("1 second"), { times: seconds - 1 })

/** Seconds until each result, by media. */
const results = Effect.gen(function* () {
  const bus = yield* EventBus
  const clock = yield* Clock.Clock
  const told = new Map<string, { readonly type: string; readonly id: string; readonly seconds: number }>()
  yield* bus.subscribe("all-events", ({ body }) => {
    const decoded = EventCodec.decodeResult(body)
    if (Result.isFailure(decoded)) return
    const { event: given } = decoded.success
    if (given.event_type !== "media.ready" && given.event_type !== "media.failed") return
    told.set(given.payload.media_id, {
      type: given.event_type,
      id: given.event_id,
      seconds: clock.currentTimeMillisUnsafe() / 1000,
    })
  })
  return told
})

/** Sends all at once and tells how long each waited. */
const waits = (
  names: ReadonlyArray<readonly [mediaId: string, userId: string]>,
  slots: Pick<MediaService.Options, "concurrency" | "perUser"> = {},
) =>
  Effect.gen(function* () {
    const seen: Array<{ readonly id: string; readonly lane: UploadAttempt["workClass"]; readonly at: number }> = []
    const service = MediaService.layerNoDeps({ bucket: "media", ...slots })
    yield* Layer.build(Layer.provide(service, fakes(seen)))
    const told = yield* results
    for (const [mediaId, userId] of names) yield* publish(uploaded(mediaId, userId))
    yield* pass(400)
    return { seen, seconds: new Map([...told].map(([id, one]) => [id, one.seconds])), told }
  }).pipe(Effect.provide(Layer.fresh(Testing.layer)), Effect.scoped)

const clips = Array.from({ length: 20 }, (_, index) => [`clip-${index}`, `u${index % 4}`] as const)

describe("fairness", () => {
  it.effect("every clip's wait beside a film is under twice what it is without", () =>
    Effect.gen(function* () {
      const alone = yield* waits(clips)
      const beside = yield* waits([["film", "u0"], ...clips])
      assert.strictEqual(alone.seconds.size, 20)
      assert.strictEqual(beside.seconds.size, 21)
      // Each has a clock of its own, that begins where the other's ended.
      const ratios = clips.map(([id]) => {
        const [before = 0, after = 0] = [alone, beside].map(({ seconds, seen }) => {
          return (seconds.get(id) ?? 0) - (seen[0]?.at ?? 0) / 1000
        })
        return after / before
      })
      assert.isBelow(Math.max(...ratios), 2)
      // And the film is not put off for them.
      assert.closeTo((beside.seconds.get("film") ?? 0) - (beside.seen[0]?.at ?? 0) / 1000, longVideoSeconds, 5)
    }),
  )

  it.effect("a film that was handed on can be cancelled, and fails under the id that its upload leads to", () =>
    Effect.gen(function* () {
      const seen: Array<{ readonly id: string; readonly lane: UploadAttempt["workClass"]; readonly at: number }> = []
      yield* Layer.build(Layer.provide(MediaService.layerNoDeps({ bucket: "media" }), fakes(seen)))
      const told = yield* results
      const bus = yield* EventBus
      const film = uploaded("film-unwanted", "u")
      yield* publish(film)
      yield* pass(10)
      assert.deepStrictEqual(
        seen.map(({ lane }) => lane),
        ["short", "long"],
      )
      const body = new TextEncoder().encode(
        JSON.stringify({ cause_id: "c", payload: { action: "cancel", media_id: "film-unwanted" } }),
      )
      yield* bus.publish({ address: work("media", "control"), id: "cancel-1", body })
      yield* pass(60)
      assert.strictEqual(told.get("film-unwanted")?.type, "media.failed")
      assert.strictEqual(told.get("film-unwanted")?.id, resultEventId(film.event_id, "media.failed"))
    }).pipe(Effect.provide(Layer.fresh(Testing.layer)), Effect.scoped),
  )

  it.effect("a limit per user lets another user's clip overtake", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: 12 }, (_, index) => [`many-${index}`, "greedy"] as const)
      const names = [...many, ["one", "modest"]] as const
      const place = (seconds: ReadonlyMap<string, number>) =>
        [...seconds].sort(([, a], [, b]) => a - b).findIndex(([id]) => id === "one")
      const limited = yield* waits(names, { concurrency: 2, perUser: 1 })
      assert.strictEqual(limited.seconds.size, 13)
      assert.isBelow(place(limited.seconds), 3)
      const unlimited = yield* waits(names, { concurrency: 2 })
      assert.isAtLeast(place(unlimited.seconds), 11)
    }),
  )
})

describe("WorkClass", () => {
  const plan = (seconds: number, width = 1920, height = 1080, frames = 30) => {
    const video = {
      index: 0,
      codec: "h264",
      width,
      height,
      rotation: 0,
      frameRate: { num: frames, den: 1 },
      bitrate: undefined,
      interlaced: false,
      matrix: "bt709",
      hdr: undefined,
      still: undefined,
    } as const
    return new EncodingPlan({
      info: { duration: seconds, mainDuration: seconds, format: "mp4", video, audioTracks: [], cover: undefined },
      renditions: width === 0 ? [] : planLadder(video),
      frameRate: { num: frames, den: 1 },
      thumbnails: 5,
      toneMapping: true,
    })
  }

  it("measures what is long by the pixels to be made", () => {
    assert.closeTo(encodeCost(plan(5)), 5, 0.1)
    assert.strictEqual(classify({ plan: plan(5) }, 60), "short")
    assert.strictEqual(classify({ plan: plan(180) }, 60), "long")
    // Two minutes at 360p are less than one at 1080p; half a minute of 2160p60 is far more.
    assert.strictEqual(classify({ plan: plan(120, 640, 360) }, 60), "short")
    assert.strictEqual(classify({ plan: plan(30, 3840, 2160, 60) }, 60), "long")
    // An hour of audio without video is a short job.
    assert.strictEqual(classify({ plan: plan(3600, 0, 0) }, 60), "short")
    assert.strictEqual(classify({ bytes: 2e9 }, 60), "long")
    assert.strictEqual(classify({ bytes: 20e6 }, 60), "short")
  })

  it("has as many keys as a user may have jobs", () => {
    const keys = new Set(Array.from({ length: 100 }, (_, index) => partitionKey("short", "u", String(index), 3)))
    assert.strictEqual(keys.size, 3)
  })
})
