/** Job events from the bus to the sockets, on `media:{id}` and `user:{id}`. */
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import type { EventType } from "@armoricore/domain/EventRegistry"
import { MediaState } from "@armoricore/domain/MediaState"
import * as UploadToken from "@armoricore/domain/UploadToken"
import { KeyValue } from "@armoricore/state/KeyValue"
import { mediaStates } from "@armoricore/state/MediaStates"
import { UploadTokens } from "@armoricore/worker/PublishPolicy"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Redacted, Schema } from "effect"
import { connect, joined, start, type TestServer } from "../support/TestServer.ts"

const id = "00000000-0000-4000-8000-000000000001"
const now = "2026-01-31T12:00:00Z"

const state = (status: "processing" | "ready" | "failed"): MediaState => ({
  media_id: "m1",
  user_id: "owner",
  status,
  stage: "transcoding",
  percent: 40,
  source_event_id: id,
  generations: { [id]: 1 },
  attempts: [{ prefix: "media/m1/1/", generation: 1, token: 1 }],
  renditions: [],
  timings: {},
  ...(status === "failed"
    ? { failed: { media_id: "m1", user_id: "owner", error: { code: "broken", message: "no picture" }, failed_at: now } }
    : {}),
  updated_at: now,
})

const keep = (server: TestServer, value: MediaState) =>
  Effect.gen(function* () {
    const text = yield* Schema.encodeEffect(Schema.fromJsonString(MediaState))(value)
    yield* Context.get(server.services, KeyValue).put(mediaStates.bucket, value.media_id, text)
  })

const bytes = (type: EventType, source: string, payload: object, extra: object = {}) =>
  Buffer.from(JSON.stringify({ event_type: type, event_id: id, timestamp: now, source, payload, ...extra }))

const say = (server: TestServer, type: EventType, source: string, payload: object, extra?: object) =>
  Context.get(server.services, EventBus).publish({
    address: Address.event(type),
    id: crypto.randomUUID(),
    body: bytes(type, source, payload, extra),
  })

const failed = { media_id: "m1", user_id: "owner", error: { code: "broken", message: "no picture" }, failed_at: now }

describe("media:{media_id}", () => {
  it.live("a join replies with the stored state", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const client = yield* connect(server)
      const join = (ref: string) => client.send(ref, ref, "media:m1", "phx_join", {})
      join("1")
      assert.deepStrictEqual((yield* client.next)[4], { status: "ok", response: { status: "unknown" } })
      yield* keep(server, state("processing"))
      join("2")
      assert.deepStrictEqual((yield* client.next)[4]["response"], {
        status: "processing",
        media_id: "m1",
        user_id: "owner",
        stage: "transcoding",
        percent: 40,
        updated_at: now,
      })
      yield* client.next
      yield* keep(server, state("failed"))
      join("3")
      assert.include(JSON.stringify(yield* client.next), '"no picture"')
    }),
  )

  it.live("under the policy `owner` only the owner and operators may join", () =>
    Effect.gen(function* () {
      const key = Redacted.make("the key of upload tokens")
      const server = yield* start({ mediaTopicPolicy: "owner" }).pipe(
        Effect.provideService(UploadTokens, { key, required: false }),
      )
      const answer = Effect.fnUntraced(function* (user: string, roles: ReadonlyArray<string> = [], mediaId = "m1") {
        const client = yield* connect(server, { token: yield* server.token(user, { roles }) })
        client.send("1", "1", `media:${mediaId}`, "phx_join", {})
        return (yield* client.next)[4]["status"]
      })
      // regression: the client of an upload could not join before a worker had handled the upload
      const uploaded = UploadToken.newMediaId(key, "owner")
      assert.strictEqual(yield* answer("owner", [], uploaded), "ok")
      assert.strictEqual(yield* answer("other", [], uploaded), "error")
      assert.strictEqual(yield* answer("owner"), "error")
      yield* keep(server, state("processing"))
      assert.strictEqual(yield* answer("owner"), "ok")
      assert.strictEqual(yield* answer("other"), "error")
      assert.strictEqual(yield* answer("boss", ["operator"]), "ok")
    }),
  )

  it.live("delivers results and live progress with the request id, and ignores forged events", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const watcher = yield* joined(server, "media:m1")
      const owner = yield* joined(server, "user:owner", { user: "owner" })
      const bus = Context.get(server.services, EventBus)
      const progress = { media_id: "m1", user_id: "owner", stage: "transcoding", percent: 12 }
      yield* bus.broadcast(Address.ephemeral("media.progress"), bytes("media.progress", "media", progress))
      assert.deepStrictEqual(yield* watcher.next, [null, null, "media:m1", "media_progress", progress])
      assert.deepStrictEqual(yield* owner.next, [null, null, "user:owner", "media_progress", progress])

      yield* say(server, "media.failed", "php-backend", failed)
      yield* bus.publish({ address: Address.event("media.failed"), id: "garbage", body: Buffer.from("garbage") })
      yield* say(server, "media.failed", "media", { ...failed, hint: "retained" }, { request_id: "r1" })
      const payload = { ...failed, hint: "retained", request_id: "r1" }
      assert.deepStrictEqual(yield* watcher.next, [null, null, "media:m1", "media_failed", payload])
      const [, , , event, retained] = yield* owner.next
      assert.isAbove(Number(retained["seq"]), 0)
      assert.deepStrictEqual([event, retained], ["media_failed", { ...payload, seq: retained["seq"] }])

      const deleted = { media_id: "m1", user_id: "owner", deleted_at: now }
      yield* keep(server, { ...state("failed"), deleted_at: now })
      yield* say(server, "media.deleted", "media", deleted, { event_id: id.replace(/1$/, "3") })
      assert.deepStrictEqual(yield* watcher.next, [null, null, "media:m1", "media_deleted", deleted])
      assert.strictEqual((yield* owner.next)[3], "media_deleted")
      yield* watcher.nothing
      const late = yield* connect(server)
      late.send("1", "1", "media:m1", "phx_join", {})
      assert.deepStrictEqual((yield* late.next)[4], { status: "ok", response: { status: "unknown" } })
    }),
  )
})

describe("user:{user_id}", () => {
  it.live("only that user may join", () =>
    Effect.gen(function* () {
      const client = yield* connect(yield* start(), { user: "u1" })
      client.send("1", "1", "user:u2", "phx_join", {})
      assert.include(JSON.stringify(yield* client.next), '"reason":"unauthorized"')
      client.send("2", "2", "user:u1", "phx_join", {})
      assert.deepStrictEqual((yield* client.next)[4]["response"], { events: [], recovered: true, more: false })
    }),
  )

  it.live("a join with `since` and no stored events replies `recovered: false`", () =>
    Effect.gen(function* () {
      const client = yield* connect(yield* start(), { user: "u1" })
      client.send("1", "1", "user:u1", "phx_join", { since: 4, last: 10 })
      assert.deepStrictEqual((yield* client.next)[4]["response"], { events: [], recovered: false, more: false })
    }),
  )

  it.live("delivers the user's notification results", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const client = yield* joined(server, "user:u1", { user: "u1" })
      const sent = {
        user_id: "u1",
        notification_id: "n1",
        notification_type: "push",
        sent_at: now,
        deliveries: [],
      }
      const tell = (event_id: string, payload: object) =>
        say(server, "notification.sent", "notify", payload, { event_id })
      yield* tell(id.replace(/1$/, "2"), { ...sent, user_id: "u2" })
      yield* tell(id, sent)
      const [, , , event, payload] = yield* client.next
      assert.deepStrictEqual([event, payload], ["notification_sent", { ...sent, seq: payload["seq"] }])
    }),
  )

  it.live("hundreds of results for one user arrive in order without delay", () =>
    Effect.gen(function* () {
      // regression: results of one user waited for a partition lease and took minutes
      const server = yield* start()
      const client = yield* joined(server, "user:u1", { user: "u1" })
      const burst = Array.from({ length: 300 }, (_, index) => `n${index}`)
      yield* Effect.forEach(
        burst,
        (notification_id, index) =>
          say(
            server,
            "notification.sent",
            "notify",
            { user_id: "u1", notification_id, notification_type: "push", sent_at: now, deliveries: [] },
            { event_id: id.replace(/0{4}1$/, String(10_000 + index)) },
          ),
        { discard: true },
      )
      const received = yield* Effect.forEach(burst, () =>
        Effect.map(client.next, (frame) => frame[4]["notification_id"]),
      )
      assert.deepStrictEqual(received, burst)
    }),
  )

  it.live("a rejoin gets the events that it missed, once", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const client = yield* joined(server, "user:owner", { user: "owner" })
      yield* say(server, "media.failed", "media", failed)
      const [, , , , { seq }] = yield* client.next
      client.ws.terminate()
      const events = ["2", "3"].map((digit) => id.replace(/1$/, digit))
      for (const event_id of [...events, ...events]) {
        yield* say(
          server,
          "media.failed",
          "media",
          { ...failed, failed_at: `2026-01-31T12:00:0${event_id.at(-1)}Z` },
          { event_id },
        )
      }
      const marks = yield* joined(server, "user:owner", { user: "owner" })
      yield* say(server, "media.failed", "media", failed, { event_id: id.replace(/1$/, "4") })
      for (;;) if ((yield* marks.next)[4]["failed_at"] === now) break
      const back = yield* connect(server, { user: "owner" })
      back.send("1", "1", "user:owner", "phx_join", { since: seq })
      const { response } = (yield* back.next)[4] as {
        response: { events: ReadonlyArray<{ event: string; seq: number; payload: Record<string, unknown> }> }
      }
      assert.deepStrictEqual(
        response.events.map(({ event, payload }) => [event, payload["failed_at"]]),
        [
          ["media_failed", "2026-01-31T12:00:02Z"],
          ["media_failed", "2026-01-31T12:00:03Z"],
          ["media_failed", now],
        ],
      )
      assert.deepStrictEqual(
        response.events.map(({ seq: number, payload }) => payload["seq"] === number),
        [true, true, true],
      )
    }),
  )
})
