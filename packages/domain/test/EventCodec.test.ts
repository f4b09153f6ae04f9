import * as EventCodec from "@armoricore/domain/EventCodec"
import { eventRegistry, type EventType, eventTypes, schemaOf } from "@armoricore/domain/EventRegistry"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { generationsOf } from "./support/EventGeneration.ts"

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

const envelope = (type: EventType, payload: unknown, more: object = {}) => ({
  event_type: type,
  event_id: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
  timestamp: "2026-01-31T12:00:00+01:00",
  source: "php-backend",
  payload,
  ...more,
})

describe("every event", () => {
  for (const type of eventTypes) {
    const schema = schemaOf(type)
    for (const { name, options } of generationsOf(type)) {
      it.effect.prop(
        `${type} decodes to the event that was encoded${name}`,
        [Schema.toType(schema)],
        ([value]) =>
          Effect.gen(function* () {
            const encoded = yield* Schema.encodeUnknownEffect(schema)(value)
            const received = yield* EventCodec.decode(bytes(encoded))
            // JSON has no -0.
            assert.deepStrictEqual<unknown>(received.event, JSON.parse(JSON.stringify(value)))
          }),
        options,
      )
    }
  }

  it("has a publisher", () => {
    for (const type of eventTypes)
      assert.include(["outside", "media", "notify", "ai", "realtime"], eventRegistry[type].publisher)
  })
})

describe("JSON from PHP's json_encode", () => {
  const decoded = (value: unknown) => Effect.map(EventCodec.decode(bytes(value)), ({ event }) => event)

  it.effect("an empty array in place of an object decodes to an empty object", () =>
    Effect.gen(function* () {
      const event = yield* decoded(
        envelope("media.uploaded", { media_id: "m", user_id: "u", file_path: "s3://media/a.mp4", metadata: [] }),
      )
      assert(event.event_type === "media.uploaded")
      assert.deepStrictEqual(event.payload.metadata, {})
      const ready = yield* decoded(
        envelope("media.ready", {
          media_id: "m",
          user_id: "u",
          playback_urls: { hls: "x", mp4: [] },
          thumbnail_urls: [],
          duration: 1,
          resolutions: [],
          metadata: [],
        }),
      )
      assert(ready.event_type === "media.ready")
      assert.deepStrictEqual(ready.payload.playback_urls.mp4, {})
    }),
  )

  it.effect("integers are ids, including 0 and the largest integer that JSON represents exactly", () =>
    Effect.gen(function* () {
      const event = yield* decoded(
        envelope("media.uploaded", { media_id: 42, user_id: 9007199254740991, file_path: "s3://media/a.mp4" }),
      )
      assert(event.event_type === "media.uploaded")
      assert.strictEqual(event.payload.media_id, "42")
      assert.strictEqual(event.payload.user_id, "9007199254740991")
    }),
  )

  it.effect("null decodes to an absent field, digits to a number", () =>
    Effect.gen(function* () {
      const event = yield* decoded(
        envelope(
          "media.uploaded",
          { media_id: "m", user_id: "u", file_path: "s3://media/a.mp4", content_type: null, file_size: "1234" },
          { request_id: null },
        ),
      )
      assert(event.event_type === "media.uploaded")
      assert.isFalse("content_type" in event.payload)
      assert.isFalse("request_id" in event)
      assert.strictEqual(event.payload.file_size, 1234)
    }),
  )

  for (const timestamp of [
    "2026-01-31T12:00:00+00:00",
    "2026-01-31T12:00:00-11:30",
    "2026-01-31T12:00:00Z",
    "2026-01-31t12:00:00.123456z",
    "2024-02-29T23:59:60Z",
    "2016-12-31T23:59:60.5-05:30",
    "0001-01-01T00:00:00.123456789012345Z",
  ]) {
    it.effect(`the time ${timestamp} is valid`, () =>
      Effect.gen(function* () {
        const event = yield* decoded(
          envelope("media.uploaded", { media_id: "m", user_id: "u", file_path: "s3://media/a.mp4" }, { timestamp }),
        )
        assert.strictEqual(event.timestamp, timestamp)
      }),
    )
  }

  it.effect("an upper-case UUID decodes to lower case", () =>
    Effect.gen(function* () {
      const event = yield* decoded(
        envelope(
          "media.uploaded",
          { media_id: "m", user_id: "u", file_path: "s3://media/a.mp4" },
          { event_id: "0190A1B2-C3D4-7E5F-8A9B-0C1D2E3F4A5B" },
        ),
      )
      assert.strictEqual(event.event_id, "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
    }),
  )

  it.effect("unknown fields are ignored, and unchanged in the raw event", () =>
    Effect.gen(function* () {
      const sent = envelope(
        "media.uploaded",
        { media_id: "m", user_id: "u", file_path: "s3://media/a.mp4", tenant: "x" },
        { shard: 3 },
      )
      const received = yield* EventCodec.decode(bytes(sent))
      assert.deepStrictEqual<unknown>(received.raw, sent)
    }),
  )
})

describe("an error names its field", () => {
  const uploaded = { media_id: "m", user_id: "u", file_path: "s3://media/a.mp4" }
  const cases: ReadonlyArray<readonly [string, unknown, string, string]> = [
    ["no media_id", envelope("media.uploaded", { ...uploaded, media_id: undefined }), "invalid", "payload.media_id"],
    ["a float as id", envelope("media.uploaded", { ...uploaded, user_id: 1.5 }), "invalid", "payload.user_id"],
    [
      "a path that is not a URL",
      envelope("media.uploaded", { ...uploaded, file_path: "/etc/passwd" }),
      "invalid",
      "payload.file_path",
    ],
    [
      "a path that leaves its bucket",
      envelope("media.uploaded", { ...uploaded, file_path: "s3://media/../x" }),
      "invalid",
      "payload.file_path",
    ],
    [
      "an empty part in a path",
      envelope("media.uploaded", { ...uploaded, file_path: "s3://media//x" }),
      "invalid",
      "payload.file_path",
    ],
    [
      "a NUL in a path",
      envelope("media.uploaded", { ...uploaded, file_path: "s3://media/a\u0000b" }),
      "invalid",
      "payload.file_path",
    ],
    [
      "30 February",
      envelope("media.uploaded", uploaded, { timestamp: "2026-02-30T00:00:00Z" }),
      "invalid",
      "timestamp",
    ],
    ["no offset", envelope("media.uploaded", uploaded, { timestamp: "2026-02-03T00:00:00" }), "invalid", "timestamp"],
    ["no UUID", envelope("media.uploaded", uploaded, { event_id: "65f0c1" }), "invalid", "event_id"],
    [
      "an unknown type",
      { ...envelope("media.uploaded", uploaded), event_type: "media.eaten" },
      "unknown_type",
      "event_type",
    ],
    ["no payload object", envelope("media.uploaded", "x"), "invalid", "payload"],
    ["an array", [1], "invalid", ""],
    ["null", null, "invalid", ""],
  ]
  for (const [name, value, reason, path] of cases) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const fault = yield* Effect.flip(EventCodec.decode(bytes(value)))
        assert.strictEqual(fault.reason, reason)
        assert.strictEqual(fault.path, path)
        assert.notInclude(fault.message, "undefined is not")
      }),
    )
  }

  const refusals: ReadonlyArray<readonly [object, string]> = [
    [{ user_id: undefined }, "payload.user_id is missing"],
    [{ user_id: 1.5 }, "payload.user_id must be an integer, not 1.5"],
    [{ media_id: "a b" }, 'payload.media_id must be 1 to 128 characters of A-Z a-z 0-9 _ -, not "a b"'],
    [{ file_path: "/a" }, 'payload.file_path must be an object path such as s3://bucket/key, not "/a"'],
    [{ file_path: 5 }, "payload.file_path must be a string, not 5"],
    [{ metadata: "x" }, 'payload.metadata must be an object or an array or null, not "x"'],
  ]
  for (const [fields, message] of refusals) {
    it.effect(`reports: ${message}`, () =>
      Effect.gen(function* () {
        const fault = yield* Effect.flip(
          EventCodec.decode(bytes(envelope("media.uploaded", { ...uploaded, ...fields }))),
        )
        assert.strictEqual(fault.message, message)
      }),
    )
  }

  it.effect("a refusal of a missing payload and of a wrong time names them", () =>
    Effect.gen(function* () {
      const messageOf = (more: object) =>
        Effect.map(
          Effect.flip(EventCodec.decode(bytes(envelope("media.uploaded", uploaded, more)))),
          ({ message }) => message,
        )
      assert.strictEqual(yield* messageOf({ payload: undefined }), "payload is missing")
      assert.strictEqual(
        yield* messageOf({ timestamp: "2026-02-30T00:00:00Z" }),
        'timestamp is "2026-02-30T00:00:00Z": the month has no such day',
      )
      assert.strictEqual(
        yield* messageOf({ timestamp: "yesterday" }),
        'timestamp must be an RFC 3339 time such as 2026-01-31T12:00:00+01:00, not "yesterday"',
      )
    }),
  )

  it.effect("a refusal quotes neither tokens nor long values in full", () =>
    Effect.gen(function* () {
      const payload = {
        user_id: "u",
        notification_type: "push",
        title: "",
        body: "",
        recipients: [{ fcm_token: ["t-1"] }],
      }
      const secret = yield* Effect.flip(EventCodec.decode(bytes(envelope("notification.requested", payload))))
      assert.notInclude(secret.message, "t-1")
      const long = { ...uploaded, media_id: "x".repeat(10_000) }
      const fault = yield* Effect.flip(EventCodec.decode(bytes(envelope("media.uploaded", long))))
      assert.isBelow(fault.message.length, 250)
    }),
  )

  it.effect("an invalid traceparent counts as absent", () =>
    Effect.forEach(
      ["00-1234-5678-01", "", "x".repeat(70_000), "a\r\nb", null],
      (traceparent) =>
        Effect.gen(function* () {
          const { event } = yield* EventCodec.decode(bytes(envelope("media.uploaded", uploaded, { traceparent })))
          assert.isFalse("traceparent" in event)
        }),
      { discard: true },
    ),
  )

  it.effect("an unknown kind of recipient is reported with the known kinds", () =>
    // regression: it was reported as an invalid fcm_token
    Effect.gen(function* () {
      const published = Effect.fnUntraced(function* (recipient: unknown) {
        const payload = { user_id: "u", notification_type: "push", title: "", body: "", recipients: [recipient] }
        const { message, path } = yield* Effect.flip(
          EventCodec.decode(bytes(envelope("notification.requested", payload))),
        )
        return `${path}: ${message}`
      })
      const kinds =
        "payload.recipients.0: payload.recipients.0 must have one of the keys fcm_token, fcm_topic, fcm_condition, apns_token, web_push, email, sms, slack, teams, discord, webhook"
      assert.strictEqual(yield* published({ fax: "+49" }), kinds)
      assert.strictEqual(yield* published({}), kinds)
      assert.match(yield* published({ email: "" }), /^payload\.recipients\.0\.email: /)
      assert.match(yield* published({ fcm_token: 5 }), /fcm_token must be a string$/)
      assert.match(
        yield* published({ web_push: { endpoint: "https://x" } }),
        /^payload\.recipients\.0\.web_push\.keys: /,
      )
    }),
  )

  it.effect("invalid UTF-8, invalid JSON, too deep and too large bodies are rejected", () =>
    Effect.gen(function* () {
      const reasonOf = (body: Uint8Array) => Effect.map(Effect.flip(EventCodec.decode(body)), ({ reason }) => reason)
      assert.strictEqual(yield* reasonOf(Uint8Array.of(0x22, 0xff, 0x22)), "undecodable")
      assert.strictEqual(yield* reasonOf(new TextEncoder().encode('{"event_type":')), "undecodable")
      assert.strictEqual(yield* reasonOf(new TextEncoder().encode("[".repeat(200_000))), "undecodable")
      assert.strictEqual(yield* reasonOf(new Uint8Array(EventCodec.maxEventBytes + 1)), "too_large")
    }),
  )

  it.effect.prop(
    "arbitrary bytes decode to an event or an InvalidEvent, never to a defect",
    [Schema.Uint8Array],
    ([body]) =>
      Effect.gen(function* () {
        const result = yield* Effect.exit(EventCodec.decode(body))
        if (result._tag === "Failure") assert.strictEqual(result.cause.reasons[0]?._tag, "Fail")
      }),
  )
  it.effect.prop("arbitrary JSON decodes to an event or an InvalidEvent, never to a defect", [Schema.Json], ([json]) =>
    Effect.gen(function* () {
      const result = yield* Effect.exit(EventCodec.decode(bytes(json)))
      if (result._tag === "Failure") assert.strictEqual(result.cause.reasons[0]?._tag, "Fail")
    }),
  )
})
