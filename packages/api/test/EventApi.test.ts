import { EventBus, type ReceivedMessage } from "@armoricore/bus/EventBus"
import * as Signature from "@armoricore/domain/Signature"
import * as UploadToken from "@armoricore/domain/UploadToken"
import * as Collection from "@armoricore/state/Collection"
import { mediaDeletions, mediaStates } from "@armoricore/state/MediaStates"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Redacted } from "effect"
import { apiServer, busUnavailable, sendRequest, signToken, tokenKey, uploadedEvent } from "./support/ApiServer.ts"

const publishedMessages = Effect.gen(function* () {
  const messages: Array<ReceivedMessage> = []
  yield* (yield* EventBus).subscribe("all-events", (message) => messages.push(message))
  return messages
})

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)
const keys = new Map([
  ["k1", Redacted.make("secret-1")],
  ["k2", Redacted.make("secret-2")],
])

describe("POST /v1/events", () => {
  it.live("passes one envelope to the bus byte for byte", () =>
    Effect.gen(function* () {
      const messages = yield* publishedMessages
      const body = `${JSON.stringify(uploadedEvent({ extra: "unchanged" }), null, 3)}\n`
      const response = yield* sendRequest("POST", "/v1/events", { token: yield* signToken("php", "publisher"), body })
      assert.strictEqual(response.status, 202)
      assert.deepStrictEqual(response.body, { event_id: uploadedEvent().event_id, duplicate: false })
      assert.strictEqual(text(messages[0]?.body), body)
      assert.strictEqual(messages[0]?.subject, "armoricore.media.uploaded")
      const repeated = yield* sendRequest("POST", "/v1/events", { token: yield* signToken("php", "publisher"), body })
      assert.deepStrictEqual(repeated.body, { event_id: uploadedEvent().event_id, duplicate: true })
      assert.strictEqual(messages.length, 1)
    }).pipe(Effect.provide(apiServer())),
  )

  it.live("publishes an array, or nothing of it if one event is invalid", () =>
    Effect.gen(function* () {
      const messages = yield* publishedMessages
      const token = yield* signToken("php", "publisher")
      const events = [uploadedEvent(), uploadedEvent({ event_id: "3f0c2d6e-6b0f-4d27-9d0c-1a2b3c4d5e70" })]
      const bad = yield* sendRequest("POST", "/v1/events", {
        token,
        body: JSON.stringify([...events, uploadedEvent({ payload: {} })]),
      })
      assert.strictEqual(bad.status, 422)
      assert.propertyVal(bad.body, "path", "2.payload.media_id")
      assert.strictEqual(messages.length, 0)
      const good = yield* sendRequest("POST", "/v1/events", { token, body: JSON.stringify(events) })
      assert.strictEqual(good.status, 202)
      assert.deepStrictEqual(
        good.body,
        events.map(({ event_id }) => ({ event_id, duplicate: false })),
      )
    }).pipe(Effect.provide(apiServer())),
  )

  it.live("an invalid traceparent, in the body or in the request, is replaced and refuses no event", () =>
    // regression: a line break in it was HTTP 500 with an empty body, and 70 kB of it were 503 for ever
    Effect.gen(function* () {
      const messages = yield* publishedMessages
      const token = yield* signToken("php", "publisher")
      for (const traceparent of ["00-a\r\nb", "x".repeat(70_000), "00-00000000000000000000000000000000-0-0"]) {
        const event = uploadedEvent({ traceparent, event_id: crypto.randomUUID() })
        const { status } = yield* sendRequest("POST", "/v1/events", { token, body: JSON.stringify(event) })
        assert.strictEqual(status, 202)
      }
      assert.lengthOf(messages, 3)
      for (const { headers } of messages)
        assert.match(headers["traceparent"] ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/)
    }).pipe(Effect.provide(apiServer())),
  )

  it.live("rejects invalid requests with a status and a code", () =>
    Effect.gen(function* () {
      const token = yield* signToken("php", "publisher")
      const body = JSON.stringify(uploadedEvent())
      const cases: ReadonlyArray<readonly [number, string, Parameters<typeof sendRequest>[2]]> = [
        [401, "token_missing", { body }],
        [401, "token_invalid", { body, token: "no.jwt.atall" }],
        [403, "role_missing", { body, token: yield* signToken("u") }],
        [400, "undecodable", { token, body: "{" }],
        [413, "too_large", { token, body: JSON.stringify(uploadedEvent({ extra: "x".repeat(1_000_000) })) }],
        [422, "unknown_type", { token, body: JSON.stringify(uploadedEvent({ event_type: "media.upload" })) }],
        [422, "invalid", { token, body: JSON.stringify(uploadedEvent({ timestamp: "yesterday" })) }],
        [422, "invalid", { token, body: "[]" }],
        [403, "unauthorized", { token, body: JSON.stringify(uploadedEvent({ source: "somebody" })) }],
        // regression: faults of the payload hid that the source may not publish the type
        [403, "unauthorized", { token, body: JSON.stringify(uploadedEvent({ event_type: "media.failed" })) }],
        [
          403,
          "unauthorized",
          { token, body: JSON.stringify(uploadedEvent({ event_type: "media.failed", source: "media", payload: {} })) },
        ],
      ]
      for (const [status, code, options] of cases) {
        const response = yield* sendRequest("POST", "/v1/events", options)
        assert.strictEqual(response.status, status, JSON.stringify(response.body))
        assert.propertyVal(response.body, "code", code)
        assert.match(response.headers["content-type"] ?? "", /^application\/problem\+json/)
      }
    }).pipe(Effect.provide(apiServer())),
  )

  it.live("accepts a signature without a token and forwards it to the bus", () =>
    Effect.gen(function* () {
      const messages = yield* publishedMessages
      const body = JSON.stringify(uploadedEvent())
      const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
      const signature = Signature.sign("k2", Redacted.make("secret-2"), now, new TextEncoder().encode(body))
      const forged = yield* sendRequest("POST", "/v1/events", {
        body: `${body} `,
        headers: { [Signature.signatureHeader]: signature },
      })
      assert.strictEqual(forged.status, 401)
      assert.propertyVal(forged.body, "code", "bad_signature")
      const good = yield* sendRequest("POST", "/v1/events", {
        body,
        headers: { [Signature.signatureHeader]: signature },
      })
      assert.strictEqual(good.status, 202)
      assert.strictEqual(messages[0]?.headers[Signature.signatureHeader], signature)
    }).pipe(Effect.provide(apiServer({ signingKeys: keys }))),
  )

  it.live("signs with the first key for a publisher with a token", () =>
    Effect.gen(function* () {
      const messages = yield* publishedMessages
      const body = JSON.stringify(uploadedEvent())
      yield* sendRequest("POST", "/v1/events", { token: yield* signToken("php", "publisher"), body })
      const message = messages[0]
      const now = yield* Clock.currentTimeMillis
      const keyId = yield* Signature.verify(
        keys,
        message?.headers[Signature.signatureHeader],
        message?.body ?? new Uint8Array(),
        now,
      )
      assert.strictEqual(keyId, "k1")
    }).pipe(Effect.provide(apiServer({ signingKeys: keys }))),
  )

  it.live("rejects a signature if no keys are configured", () =>
    Effect.gen(function* () {
      const response = yield* sendRequest("POST", "/v1/events", {
        body: JSON.stringify(uploadedEvent()),
        headers: { [Signature.signatureHeader]: `keyid=k1,t=1700000000,v1=${"0".repeat(64)}` },
      })
      assert.strictEqual(response.status, 401)
    }).pipe(Effect.provide(apiServer())),
  )

  it.live("responds with 503 and Retry-After while the bus is unavailable", () =>
    Effect.gen(function* () {
      const response = yield* sendRequest("POST", "/v1/events", {
        token: yield* signToken("php", "publisher"),
        body: JSON.stringify(uploadedEvent()),
      })
      assert.strictEqual(response.status, 503)
      assert.strictEqual(response.headers["retry-after"], "5")
    }).pipe(Effect.provide(apiServer({}, busUnavailable))),
  )
})

describe("the upload token in POST /v1/events", () => {
  const file = { media_id: "m1", file_path: "s3://media/uploads/7/m1/a.mp4" }
  const sendPayload = Effect.fnUntraced(function* (payload: object) {
    const event = uploadedEvent({ event_id: crypto.randomUUID(), payload })
    return yield* sendRequest("POST", "/v1/events", {
      token: yield* signToken("php", "publisher"),
      body: JSON.stringify(event),
    })
  })
  const refused = { status: 403, code: "unauthorized", path: "payload.upload_token" }
  const summary = ({ body, status }: { readonly body: unknown; readonly status: number }) =>
    typeof body === "object" && body !== null && "code" in body && "path" in body
      ? { status, code: body.code, path: body.path }
      : { status }

  it.live("is accepted for the upload that it was issued for, with the user id as a number too", () =>
    Effect.gen(function* () {
      const upload_token = UploadToken.issue(tokenKey, { ...file, user_id: "7" })
      assert.deepStrictEqual(summary(yield* sendPayload({ ...file, user_id: 7, upload_token })), { status: 202 })
      assert.deepStrictEqual(summary(yield* sendPayload({ ...file, user_id: 8, upload_token })), refused)
      assert.deepStrictEqual(
        summary(yield* sendPayload({ ...file, file_path: "s3://media/x", user_id: 7, upload_token })),
        refused,
      )
      assert.deepStrictEqual(summary(yield* sendPayload({ ...file, user_id: 7 })), { status: 202 })
    }).pipe(Effect.provide(apiServer())),
  )

  it.live("is required with MEDIA_UPLOAD_TOKEN=required", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(summary(yield* sendPayload({ ...file, user_id: 7 })), refused)
      const upload_token = UploadToken.issue(tokenKey, { ...file, user_id: "7" })
      assert.deepStrictEqual(summary(yield* sendPayload({ ...file, user_id: 7, upload_token })), { status: 202 })
    }).pipe(Effect.provide(apiServer({ uploadTokens: { key: tokenKey, required: true } }))),
  )
})

describe("a media id of another user in POST /v1/events", () => {
  const send = Effect.fnUntraced(function* (event: object) {
    const { body, status } = yield* sendRequest("POST", "/v1/events", {
      token: yield* signToken("php", "publisher"),
      body: JSON.stringify(event),
    })
    const { code, path } = Object.fromEntries(Object.entries(typeof body === "object" && body !== null ? body : {}))
    return [status, code, path]
  })
  const upload = (media_id: string, user_id: string) =>
    uploadedEvent({ event_id: crypto.randomUUID(), payload: { media_id, user_id, file_path: "s3://media/a.mp4" } })
  const refused = [403, "unauthorized", "payload.media_id"]
  const accepted = [202, undefined, undefined]
  const updated_at = "2026-01-31T12:00:00Z"

  it.live("is refused, for uploads and transcriptions, with its place in an array", () =>
    Effect.gen(function* () {
      const states = yield* Collection.make(mediaStates)
      yield* states.create("m1", {
        media_id: "m1",
        user_id: "7",
        status: "processing",
        stage: "queued",
        percent: 0,
        source_event_id: "3f0c2d6e-6b0f-4d27-9d0c-1a2b3c4d5e6f",
        generations: {},
        attempts: [],
        renditions: [],
        timings: {},
        updated_at,
      })
      const messages = yield* publishedMessages
      assert.deepStrictEqual(yield* send(upload("m1", "8")), refused)
      const transcription = {
        ...upload("m1", "8"),
        event_type: "transcription.requested",
        payload: { media_id: "m1", user_id: "8", source_file_path: "s3://media/a.mp4" },
      }
      assert.deepStrictEqual(yield* send(transcription), refused)
      assert.deepStrictEqual(yield* send([upload("m2", "8"), upload("m1", "8")]), [
        403,
        "unauthorized",
        "1.payload.media_id",
      ])
      assert.lengthOf(messages, 0)
      assert.deepStrictEqual(yield* send(upload("m1", "7")), accepted)
      assert.deepStrictEqual(yield* send(upload("m2", "8")), accepted)
    }).pipe(
      Effect.provide(
        apiServer({ sources: new Map([["php-backend", new Set(["media.uploaded", "transcription.requested"])]]) }),
      ),
    ),
  )

  it.live("is refused also after the media was deleted", () =>
    Effect.gen(function* () {
      const deletions = yield* Collection.make(mediaDeletions)
      yield* deletions.create("m1", { media_id: "m1", request_id: "r", requested_at: updated_at, user_id: "7" })
      yield* deletions.create("m2", { media_id: "m2", request_id: "r", requested_at: updated_at })
      assert.deepStrictEqual(yield* send(upload("m1", "8")), refused)
      assert.deepStrictEqual(yield* send(upload("m1", "7")), accepted)
      // Nothing of it was known when it was deleted, so it has no owner.
      assert.deepStrictEqual(yield* send(upload("m2", "8")), accepted)
    }).pipe(Effect.provide(apiServer())),
  )
})
