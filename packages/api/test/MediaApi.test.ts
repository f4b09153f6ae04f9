import type { MediaState } from "@armoricore/domain/MediaState"
import * as UploadToken from "@armoricore/domain/UploadToken"
import * as Collection from "@armoricore/state/Collection"
import { mediaDeletions, mediaStates } from "@armoricore/state/MediaStates"
import { assert, describe, it } from "@effect/vitest"
import { event, work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { eventually } from "@armoricore/testing/Eventually"
import { Effect, Result } from "effect"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { authorize } from "@armoricore/worker/PublishPolicy"
import { apiServer, sendRequest, signToken, tokenKey } from "./support/ApiServer.ts"

const state: MediaState = {
  media_id: "m1",
  user_id: "u1",
  status: "processing",
  stage: "transcoding",
  percent: 40,
  source_event_id: "3f0c2d6e-6b0f-4d27-9d0c-1a2b3c4d5e6f",
  generations: {},
  attempts: [{ prefix: "media/m1/1/", generation: 1, token: 1 }],
  renditions: [],
  timings: {},
  updated_at: "2026-01-31T12:00:00Z",
}

describe("GET /v1/media/{id}", () => {
  it.live("shows the state only to its owner and to operators", () =>
    Effect.gen(function* () {
      yield* (yield* Collection.make(mediaStates)).put("m1", state)
      const getMedia = (token: string | undefined, id = "m1") =>
        sendRequest("GET", `/v1/media/${id}`, token === undefined ? {} : { token })
      const own = yield* getMedia(yield* signToken("u1"))
      assert.strictEqual(own.status, 200)
      assert.deepInclude(own.body, { media_id: "m1", status: "processing", percent: 40 })
      assert.notProperty(own.body, "attempts")
      assert.strictEqual((yield* getMedia(yield* signToken("op", "operator"))).status, 200)
      assert.strictEqual((yield* getMedia(yield* signToken("u2"))).status, 403)
      assert.strictEqual((yield* getMedia(undefined)).status, 401)
      assert.strictEqual((yield* getMedia(yield* signToken("u1"), "m2")).status, 404)
      assert.strictEqual((yield* getMedia(yield* signToken("u1"), "m%2F2")).status, 404)
    }).pipe(Effect.provide(apiServer())),
  )
})

describe("commands on a media", () => {
  const consumeCommands = Effect.gen(function* () {
    const bus = yield* EventBus
    const commands: Array<string> = []
    for (const kind of ["control", "retry"]) {
      yield* bus.consume({ name: `test-${kind}`, from: work("media", kind), concurrency: 1 }, ({ body }) =>
        Effect.sync(() => {
          commands.push(new TextDecoder().decode(body))
          return { _tag: "Ack" as const }
        }),
      )
    }
    return commands
  })
  it.live("the owner deletes, cancels and retries; each command is queued once and only in a fitting state", () =>
    Effect.gen(function* () {
      const commands = yield* consumeCommands
      const states = yield* Collection.make(mediaStates)
      yield* states.put("m1", state)
      const token = yield* signToken("u1")
      const other = yield* signToken("u2")
      assert.strictEqual((yield* sendRequest("DELETE", "/v1/media/m1", { token: other })).status, 403)
      assert.strictEqual((yield* sendRequest("POST", "/v1/media/m1/retry", { token })).status, 409)
      assert.strictEqual((yield* sendRequest("POST", "/v1/media/m1/cancel", { token })).status, 202)
      assert.strictEqual((yield* sendRequest("POST", "/v1/media/m1/cancel", { token })).status, 202)
      const upload = { media_id: "m1", user_id: "u1", file_path: "s3://media/a.mp4" }
      yield* states.put("m1", { ...state, status: "failed", upload })
      assert.strictEqual((yield* sendRequest("POST", "/v1/media/m1/cancel", { token })).status, 409)
      assert.strictEqual((yield* sendRequest("POST", "/v1/media/m1/retry", { token })).status, 202)
      assert.strictEqual((yield* sendRequest("DELETE", "/v1/media/m1", { token })).status, 202)
      yield* eventually(() => commands.length >= 3)
      assert.deepStrictEqual(commands.map((body) => /"action":"([a-z]+)"/.exec(body)?.[1] ?? "retry").sort(), [
        "cancel",
        "delete",
        "retry",
      ])
      yield* states.put("m1", { ...state, deleted_at: "2026-01-31T12:00:00Z" })
      assert.strictEqual((yield* sendRequest("GET", "/v1/media/m1", { token })).status, 404)
    }).pipe(Effect.scoped, Effect.provide(apiServer())),
  )

  it.live("the owner deletes an upload that is unfinished, unpublished or in its queue; others do not", () =>
    Effect.gen(function* () {
      // regression: a DELETE before the first worker had read the upload was answered with 404, and the media appeared later.
      const commands = yield* consumeCommands
      const id = UploadToken.newMediaId(tokenKey, "u1")
      const remove = (token: string, of = id) =>
        Effect.map(sendRequest("DELETE", `/v1/media/${of}`, { token }), ({ status }) => status)
      assert.strictEqual(yield* remove(yield* signToken("u2")), 404)
      assert.strictEqual(yield* remove(yield* signToken("op", "operator")), 404)
      assert.strictEqual(yield* remove(yield* signToken("u1", "guest")), 403)
      assert.strictEqual(yield* remove(yield* signToken("u1"), "m1"), 404)
      assert.strictEqual(yield* remove(yield* signToken("u1")), 202)
      assert.strictEqual(yield* remove(yield* signToken("u1")), 202)
      yield* eventually(() => commands.length === 1)
      assert.include(commands[0], `"media_id":"${id}","user_id":"u1"`)
      const deletions = yield* Collection.make(mediaDeletions)
      const times = { requested_at: "2026-01-31T12:00:00Z", deleted_at: "2026-01-31T12:01:00Z" }
      yield* deletions.put(id, { media_id: id, request_id: "r1", user_id: "u1", ...times })
      assert.strictEqual(yield* remove(yield* signToken("u1")), 404)
    }).pipe(Effect.scoped, Effect.provide(apiServer())),
  )

  it.live("an operator deletes the media of others, and anything that an unfinished deletion has left", () =>
    Effect.gen(function* () {
      const commands = yield* consumeCommands
      const states = yield* Collection.make(mediaStates)
      const deletions = yield* Collection.make(mediaDeletions)
      yield* states.put("m1", state)
      const token = yield* signToken("op", "operator")
      const remove = Effect.map(sendRequest("DELETE", "/v1/media/m1", { token }), ({ status }) => status)
      assert.strictEqual(yield* remove, 202)
      const deletion = { media_id: "m1", request_id: "r1", requested_at: "2026-01-31T12:00:00Z", user_id: "u1" }
      yield* states.put("m1", { ...state, deleted_at: "2026-01-31T12:00:00Z" })
      yield* deletions.put("m1", deletion)
      assert.strictEqual(yield* remove, 202)
      yield* deletions.put("m1", { ...deletion, deleted_at: "2026-01-31T12:01:00Z" })
      assert.strictEqual(yield* remove, 404)
      yield* eventually(() => commands.length === 2)
      assert.match(commands[0] ?? "", /"requested_at":"2[0-9-]+T/)
    }).pipe(Effect.scoped, Effect.provide(apiServer())),
  )
})

describe("/v1/media/{id}/captions", () => {
  it.live("takes SubRip and WebVTT of the owner, and names what is wrong with other files", () =>
    Effect.gen(function* () {
      const commands: Array<string> = []
      const bus = yield* EventBus
      yield* bus.consume({ name: "test", from: work("media", "control"), concurrency: 1 }, ({ body }) =>
        Effect.sync(() => {
          commands.push(new TextDecoder().decode(body))
          return { _tag: "Ack" as const }
        }),
      )
      yield* (yield* ObjectStorage).setup("media")
      const states = yield* Collection.make(mediaStates)
      yield* states.put("m1", state)
      const token = yield* signToken("u1")
      const srt = "1\n00:00:01,000 --> 00:00:02,000\nHallo\n"
      const send = (query: string, body = srt, as = token) =>
        sendRequest("POST", `/v1/media/m1/captions${query}`, { token: as, body })
      assert.deepInclude(yield* send("?language=de", srt, yield* signToken("u2")), { status: 403 })
      for (const [query, body, expected] of [
        ["", srt, { path: "language" }],
        ["?language=german", srt, { path: "language" }],
        ["?language=de&kind=x", srt, { path: "kind" }],
        ["?language=de&title=%20", srt, { path: "title" }],
        ["?language=de", "1\n00:00:02,000 --> 00:00:01,000\nx", { code: "invalid_captions", path: "line.2" }],
        ["?language=de", "%PDF-1.4", { code: "invalid_captions" }],
        // As text in UTF-16 has them.
        ["?language=de", srt.replaceAll("", "\0"), { code: "not_utf8" }],
      ] as const) {
        const refused = yield* send(query, body)
        assert.strictEqual(refused.status, 422, query)
        assert.deepInclude(refused.body, expected)
      }
      assert.strictEqual((yield* send("?language=de", "x".repeat(2_100_000))).status, 413)
      const accepted = yield* send("?language=DE&kind=subtitles&title=Eigene")
      assert.deepInclude(accepted, { status: 202 })
      assert.deepInclude(accepted.body, { media_id: "m1", language: "de", kind: "subtitles", cues: 1 })
      yield* eventually(() => commands.length === 1)
      assert.match(commands[0] ?? "", /"action":"set_captions".*"key":"captions\/m1\/de-subtitles-[0-9a-f]{12}\.vtt"/)
      const remove = (query: string) => sendRequest("DELETE", `/v1/media/m1/captions${query}`, { token })
      assert.deepInclude(yield* remove("?language=de"), { status: 404 })
      const uploadedCaptions = {
        language: "de",
        kind: "captions" as const,
        key: "k",
        cues: 1,
        uploaded_at: state.updated_at,
      }
      yield* states.put("m1", { ...state, captions: { "de.captions": uploadedCaptions } })
      assert.deepInclude(yield* remove("?language=de"), { status: 202 })
      yield* eventually(() => commands.length === 2)
      assert.include(commands[1], '"captions_key":"de.captions"')
    }).pipe(Effect.provide(apiServer())),
  )
})

describe("DELETE /v1/users/{id}", () => {
  it.live("publishes the request of a backend or an operator, and of no user", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const bodies: Array<string> = []
      yield* bus.subscribe(
        event("user.erase_requested"),
        ({ body }) => void bodies.push(new TextDecoder().decode(body)),
      )
      const erase = (id: string, token: string) => sendRequest("DELETE", `/v1/users/${id}`, { token })
      assert.deepInclude(yield* erase("u1", yield* signToken("u1")), { status: 403 })
      const publisher = yield* signToken("php", "publisher")
      assert.deepInclude(yield* erase("u%20x", publisher), { status: 422 })
      const accepted = yield* erase("a%3Ab", publisher)
      assert.strictEqual(accepted.status, 202)
      assert.deepInclude(accepted.body, { user_id: "a:b" })
      yield* eventually(() => bodies.length === 1)
      const decoded = EventCodec.decodeResult(new TextEncoder().encode(bodies[0]))
      assert.isTrue(Result.isSuccess(decoded))
      if (Result.isFailure(decoded)) return
      assert.deepInclude(decoded.success.event, { source: "realtime", payload: { user_id: "a:b" } })
      yield* authorize(decoded.success.event, {
        subject: "",
        id: "",
        headers: {},
        body: new Uint8Array(),
        arrivedAt: 0,
      })
    }).pipe(Effect.provide(apiServer())),
  )
})
