/** Content keys: made once for a media, by this program or a key server, whose faults are named. */
import { createServer } from "node:http"
import { ConfigurationError } from "@armoricore/domain/Errors"
import * as Signature from "@armoricore/domain/Signature"
import * as ContentKeys from "@armoricore/media/protection/ContentKeys"
import * as MemoryState from "@armoricore/state/memory/MemoryState"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"

const secret = Redacted.make("a secret of the test")
const serverSecret = Redacted.make("a secret of the key server")
const upload = { media_id: "film", user_id: "u1" }

interface Received {
  readonly body: string
  readonly signature: string
}

/** A key server on a free port that gives each answer in turn; later questions get no answer. */
const keyServer = (answers: ReadonlyArray<readonly [status: number, body: string]>, onAsked = () => {}) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<{ readonly url: string; readonly received: ReadonlyArray<Received>; readonly close: () => void }>(
          (resolve) => {
            const received: Array<Received> = []
            const server = createServer((request, response) => {
              let body = ""
              request.on("data", (piece: Buffer) => (body += piece.toString()))
              request.on("end", () => {
                const given = answers[received.length]
                received.push({ body, signature: String(request.headers["armoricore-signature"]) })
                if (given !== undefined) response.writeHead(given[0]).end(given[1])
                onAsked()
              })
            }).listen(0, "127.0.0.1", () => {
              const address = server.address()
              const port = typeof address === "object" && address !== null ? address.port : 0
              resolve({
                url: `http://127.0.0.1:${port}`,
                received,
                close: () => void (server.close(), server.closeAllConnections()),
              })
            })
          },
        ),
    ),
    ({ close }) => Effect.sync(close),
  )

const answer = (numbers: ReadonlyArray<number>) =>
  JSON.stringify({
    keys: numbers.map((number) => ({
      key_id: `0000000${number}-0000-4000-8000-000000000000`,
      key: Buffer.alloc(16, number).toString("base64"),
    })),
    systems: [{ hls: { keyformat: "com.apple.streamingkeydelivery", uri: "skd://film" } }],
  })

describe("ContentKeys", () => {
  it.effect("a media gets a key for each period, and keeps its keys when it is processed again", () =>
    Effect.gen(function* () {
      const keys = yield* ContentKeys.make({ scheme: "cbcs", secret, period: Duration.seconds(10) })
      const first = yield* keys.prepare(upload, 25)
      // Periods are whole segments of 4 s.
      assert.strictEqual(first?.segmentsPerKey, 3)
      assert.strictEqual(first?.keyIds.length, 3)
      const longer = yield* keys.prepare(upload, 40)
      assert.deepStrictEqual(longer?.keyIds.slice(0, 3), first?.keyIds)
      assert.strictEqual(new Set(longer?.keyIds).size, 4)
      const shorter = yield* keys.prepare(upload, 25)
      assert.deepStrictEqual(shorter, first)
      const concurrent = yield* Effect.forEach([1, 2, 3], () => keys.prepare({ ...upload, media_id: "other" }, 5), {
        concurrency: "unbounded",
      })
      assert.deepStrictEqual(concurrent[1], concurrent[0])
      assert.notDeepEqual(concurrent[0]?.keyIds[0], first?.keyIds[0])
    }).pipe(Effect.provide(MemoryState.layer)),
  )

  it.live("a key server makes the keys, asked with a signature and only for those that are missing", () =>
    Effect.gen(function* () {
      const server = yield* keyServer([
        [200, answer([1])],
        [200, answer([2])],
      ])
      const period = Duration.seconds(4)
      const keys = yield* ContentKeys.make({
        scheme: "cbcs",
        secret,
        period,
        keyServer: { url: server.url, secret: serverSecret },
      })
      const first = yield* keys.prepare(upload, 4)
      assert.deepStrictEqual(first?.systems, [
        { hls: { keyformat: "com.apple.streamingkeydelivery", uri: "skd://film" } },
      ])
      const second = yield* keys.prepare(upload, 8)
      assert.deepStrictEqual(second?.keyIds, ["00000001000040008000000000000000", "00000002000040008000000000000000"])
      assert.deepStrictEqual(
        (yield* Effect.flatMap(ContentKeys.makeReader(secret), (read) => read("film"))).map(({ key }) => key[0]),
        [1, 2],
      )
      assert.deepStrictEqual(
        server.received.map(({ body }): unknown => JSON.parse(body)),
        [0, 1].map((number) => ({ ...upload, scheme: "cbcs", first: number, count: 1 })),
      )
      for (const { body, signature } of server.received)
        yield* Signature.verify(new Map([["keys", serverSecret]]), signature, Buffer.from(body), Date.now())
    }).pipe(Effect.scoped, Effect.provide(MemoryState.layer)),
  )

  it.live("a key server that does not answer, or answers wrongly, is a named fault without keys", () =>
    Effect.gen(function* () {
      const server = yield* keyServer([
        [503, ""],
        [200, "{}"],
        [200, answer([1, 2])],
        [200, JSON.stringify({ keys: [{ key_id: "x", key: "y" }] })],
        [200, "<html>"],
        [200, `${answer([1])}${" ".repeat(1_000_001)}`],
        [302, ""],
      ])
      const of = (url: string) =>
        Effect.flatMap(ContentKeys.make({ scheme: "cbcs", secret, keyServer: { url, secret: serverSecret } }), (keys) =>
          Effect.flip(keys.prepare(upload, 4)),
        )
      for (const [code, text] of [
        ["status_503", "answered with status 503"],
        ["invalid_answer", "keys is missing"],
        ["invalid_answer", "sent 2 keys instead of 1"],
        ["invalid_answer", "keys.0.key_id"],
        ["invalid_answer", "sent a wrong answer"],
        ["invalid_answer", "cannot be read"],
        ["status_302", "answered with status 302"],
      ] as const) {
        const error = yield* of(server.url)
        assert.deepInclude(error, { _tag: "TransientError", dependency: "key-server", code })
        assert.include(error.message, text)
      }
      const down = yield* of("http://127.0.0.1:1")
      assert.deepInclude(down, { _tag: "TransientError", code: "unavailable" })
      assert.deepStrictEqual(yield* Effect.flatMap(ContentKeys.makeReader(secret), (read) => read("film")), [])
    }).pipe(Effect.scoped, Effect.provide(MemoryState.layer)),
  )

  it.effect("a key server that does not answer in time is a named fault", () =>
    Effect.gen(function* () {
      const asked = Promise.withResolvers<void>()
      const server = yield* keyServer([], () => asked.resolve())
      const keys = yield* ContentKeys.make({
        scheme: "cbcs",
        secret,
        keyServer: { url: server.url, secret: serverSecret },
      })
      const preparing = yield* Effect.forkChild(Effect.flip(keys.prepare(upload, 4)))
      yield* Effect.promise(() => asked.promise)
      yield* TestClock.adjust("10 seconds")
      const error = yield* Fiber.join(preparing)
      assert.deepInclude(error, { _tag: "TransientError", dependency: "key-server", code: "timeout" })
      assert.include(error.message, "did not answer within 10s")
    }).pipe(Effect.scoped, Effect.provide(MemoryState.layer)),
  )

  it.live("a key server that gives a later period the id of an earlier one is a named fault", () =>
    Effect.gen(function* () {
      const server = yield* keyServer([
        [200, answer([1])],
        [200, answer([1])],
        [200, answer([2, 2])],
      ])
      const period = Duration.seconds(4)
      const keyServerOptions = { url: server.url, secret: serverSecret }
      const keys = yield* ContentKeys.make({ scheme: "cbcs", secret, period, keyServer: keyServerOptions })
      const first = yield* keys.prepare(upload, 4)
      for (const seconds of [8, 12]) {
        const error = yield* Effect.flip(keys.prepare(upload, seconds))
        assert.deepInclude(error, { _tag: "TransientError", code: "invalid_answer" })
        assert.include(error.message, "for two periods of media film")
      }
      assert.deepStrictEqual(yield* keys.prepare(upload, 4), first)
    }).pipe(Effect.scoped, Effect.provide(MemoryState.layer)),
  )

  it.effect("a process without the secret of a protected stream names the setting", () =>
    Effect.gen(function* () {
      const keys = yield* ContentKeys.make({ scheme: "cbcs", secret })
      const protection = yield* keys.prepare(upload, 4)
      const without = yield* ContentKeys.make(undefined)
      const error = yield* Effect.flip(without.protector("film", protection))
      assert.instanceOf(error, ConfigurationError)
      assert.strictEqual(error.setting, "MEDIA_KEY_SECRET")
    }).pipe(Effect.provide(MemoryState.layer)),
  )
})
