/** Media, users, live lines, circuits, sockets and rooms. */
import { History } from "@armoricore/history/History"
import type { LiveLine } from "@armoricore/operator/api/LiveLine"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { notificationStates } from "@armoricore/state/NotificationStates"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { assert } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { withToken, RecordedLog, tokenFor } from "../OperatorHarness.ts"
import { eventually } from "@armoricore/testing/Eventually"
import { bytes, type OperatorTest, publish, uploadedEvent } from "./Harness.ts"

export const viewBehaviour = (test: OperatorTest): void => {
  test("shows a media with its captions and deliveries, and a user with sockets, media and notifications", (client) =>
    Effect.gen(function* () {
      const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
      const at = "2026-01-01T00:00:00.000Z"
      const source_event_id = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
      const common = { media_id: "m1", user_id: "ada", percent: 100, source_event_id, updated_at: at }
      yield* (yield* Collection.make(mediaStates)).put("m1", {
        ...common,
        status: "ready",
        stage: "publishing",
        generations: {},
        attempts: [],
        renditions: [{ name: "720p", width: 1280, height: 720, bandwidth: 2_000_000 }],
        timings: {},
      })
      const captions = { vtt: "https://cdn.example/m1.vtt", srt: "https://cdn.example/m1.srt" }
      yield* (yield* Collection.make(transcriptStates)).put("m1", {
        ...common,
        status: "complete",
        requested_at: at,
        languages: {
          en: {
            transcription_id: "t1",
            transcript_file_path: "s3://media/t.json",
            caption_urls: captions,
            quality: "good",
            engine: "whisper",
            word_count: 7,
            requested_at: at,
            completed_at: at,
          },
        },
      })
      yield* (yield* Collection.make(notificationStates)).put("n1", {
        notification_id: "n1",
        user_id: "ada",
        notification_type: "email",
        status: "sent",
        source_event_id,
        content: { title: "Your film is ready", text: "", data: {} },
        deliveries: [
          {
            delivery_id: "d1",
            target: { channel: "email", address: "ada@example.com" },
            summary: { channel: "email", provider: "smtp", status: "sent" },
          },
        ],
        requested_at: 0,
        updated_at: at,
      })
      const history = yield* History
      const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
      yield* history.append("user:ada", "e1", bytes({ event: "media_ready", payload: { media_id: "m1", traceparent } }))
      yield* history.append("user:ada", "e2", bytes({ event: "notification_sent", payload: { notification_id: "n1" } }))

      const media = yield* op(client.GetMedia({ media_id: "m1" }))
      assert.deepStrictEqual(
        media.jobs.map(({ kind }) => kind),
        ["media", "transcription"],
      )
      assert.deepInclude(media.captions[0], { language: "en", word_count: 7, ...captions })
      assert.deepStrictEqual(
        media.deliveries.map(({ event, trace_id }) => [event, trace_id]),
        [["media_ready", "0af7651916cd43dd8448eb211c80319c"]],
      )
      assert.deepInclude(yield* Effect.flip(op(client.GetMedia({ media_id: "none" }))), { code: "not_found" })

      const user = yield* op(client.GetUser({ user_id: "ada" }))
      assert.deepStrictEqual(
        user.events.map(({ event }) => event),
        ["notification_sent", "media_ready"],
      )
      assert.deepInclude(user.notifications[0], { title: "Your film is ready", status: "sent" })
      assert.deepStrictEqual(user.notifications[0]?.deliveries, [
        { channel: "email", status: "sent", provider: "smtp", attempts: 1 },
      ])
      assert.strictEqual(user.sockets[0]?.socket_id, "s1")
      assert.strictEqual(user.jobs.length, 2)
      const absent = yield* op(client.GetUser({ user_id: "bob" }))
      assert.deepStrictEqual([absent.sockets, absent.jobs, absent.events], [[], [], []])
    }))

  test("streams events of chosen types from now on, and log lines while a client watches", (client) =>
    Effect.gen(function* () {
      const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
      const refused = yield* Effect.flip(op(Stream.runHead(client.WatchLive({ types: ["media.uploded"] }))))
      assert.include(refused.message, "media.uploded is not one of media.uploaded")
      const lines: Array<LiveLine> = []
      yield* op(
        Stream.runForEach(client.WatchLive({ types: ["media.uploaded"] }), (line) =>
          Effect.sync(() => void lines.push(line)),
        ),
      ).pipe(Effect.forkScoped)
      const log = yield* RecordedLog
      // The subscription starts at some point after the call.
      yield* eventually(
        Effect.tap(
          Effect.sync(() => lines),
          () =>
            Effect.andThen(
              publish(uploadedEvent("m9")),
              Effect.sync(() => log.write({ message: "hello" })),
            ),
        ),
        (all) => all.some(({ _tag }) => _tag === "Event") && all.some(({ _tag }) => _tag === "Log"),
      )
      const first = lines.find(({ _tag }) => _tag === "Event")
      assert.include(JSON.stringify(first), '"media_id":"m9"')
      assert.deepInclude(
        lines.find(({ _tag }) => _tag === "Log"),
        { line: { message: "hello" } },
      )
    }))

  test("pauses and resumes circuits; the overview lists what needs an operator", (client) =>
    Effect.gen(function* () {
      const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
      yield* op(client.PauseCircuit({ name: "provider:fcm", reason: "wrong key" }))
      const { circuits } = yield* op(client.ListCircuits())
      assert.deepInclude(circuits[0]?.paused, { by: "op", reason: "wrong key" })
      const overview = yield* op(client.GetOverview())
      assert.deepStrictEqual(overview.unhealthy_circuits, ["provider:fcm"])
      assert.include(overview.warnings[0]?.message, "paused by op")
      assert.deepStrictEqual(overview.nodes[0]?.services, ["media", "realtime"])
      assert.deepStrictEqual(
        overview.queues.map(({ name }) => name),
        ["operator-moderation-flagged"],
      )
      yield* op(client.ResumeCircuit({ name: "provider:fcm" }))
      assert.deepStrictEqual((yield* op(client.ListCircuits())).circuits, [])
      const unknown = yield* Effect.flip(op(client.ResumeCircuit({ name: "provider:unknown" })))
      assert.deepInclude(unknown, { code: "not_found" })
      const [first, second] = yield* op(Stream.runCollect(Stream.take(client.WatchOverview(), 2)))
      assert.isAbove(first?.history.length ?? 0, 0)
      assert.strictEqual(second?.history.length, 0)
    }))

  test("lists sockets and rooms; sets the log level on the processes that answer", (client) =>
    Effect.gen(function* () {
      const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
      assert.deepStrictEqual((yield* op(client.ListRooms({}))).rooms, [
        { topic: "chat:room:tea", members: 1, nodes: ["n"] },
      ])
      assert.deepInclude((yield* op(client.ListSockets({ user_id: "ada" }))).sockets[0], {
        socket_id: "s1",
        user_id: "ada",
      })
      assert.deepStrictEqual((yield* op(client.ListSockets({ user_id: "bob" }))).sockets, [])
      assert.strictEqual((yield* op(client.SetLogLevel({ level: "debug" }))).nodes.length, 1)
      const absent = yield* Effect.flip(op(client.SetLogLevel({ level: "debug", node: "elsewhere" })))
      assert.deepInclude(absent, { code: "not_found" })
      assert.deepInclude(yield* Effect.flip(op(client.Kick({ reason: "" }))), { code: "invalid" })
    }))
}
