import * as Signature from "@armoricore/domain/Signature"
import { CdnPurge } from "@armoricore/storage/CdnPurge"
import * as AkamaiPurge from "@armoricore/storage/purge/AkamaiPurge"
import { authorization } from "@armoricore/storage/purge/EdgeGrid"
import * as WebhookPurge from "@armoricore/storage/purge/WebhookPurge"
import * as FakeHttpServer from "@armoricore/testing/fakes/FakeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"

/** Akamai publishes these with its clients. */
const credentials = {
  clientToken: "akab-client-token-xxx-xxxxxxxxxxxxxxxx",
  accessToken: "akab-access-token-xxx-xxxxxxxxxxxxxxxx",
  clientSecret: Redacted.make("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx="),
}
const vectors: ReadonlyArray<readonly [method: string, path: string, body: string, signature: string]> = [
  ["GET", "/", "", "tL+y4hxyHxgWVD30X3pWnGKHcPzmrIF+LThiAOhMxYU="],
  ["GET", "/testapi/v1/t1?p1=1&p2=2", "", "hKDH1UlnQySSHjvIcZpDMbQHihTQ0XyVAKZaApabdeA="],
  ["POST", "/testapi/v1/t3", "datadatadatadatadatadatadatadata", "hXm4iCxtpN22m4cbZb4lVLW5rhX8Ca82vCFqXzSTPe4="],
  ["POST", "/testapi/v1/t6", "", "1gEDxeQGD5GovIkJJGcBaKnZ+VaPtrc4qBUHixjsPCQ="],
]

const receive = Effect.fnUntraced(function* (status: number, headers: Record<string, string> = {}) {
  const requests: Array<FakeHttpServer.RecordedRequest> = []
  const url = yield* FakeHttpServer.listenHttp((request) => {
    requests.push(request)
    return { status, headers }
  })
  return { requests, url }
})

const purge = (keys: ReadonlyArray<string>) =>
  Effect.flatMap(CdnPurge, (cdn) => cdn?.purge(keys) ?? Effect.die(new Error("no CDN")))
const baseUrl = "https://cdn.example.com/v/"

describe("EdgeGrid", () => {
  it.each(vectors)("signs %s %s with the body %j", (method, path, body, signature) => {
    const url = new URL(path, "https://akaa-baseurl-xxxxxxxxxxx-xxxxxxxxxxxxx.luna.akamaiapis.net")
    const now = Date.parse("2014-03-21T19:34:21Z")
    const header = authorization(credentials, { method, url, body, now, nonce: "nonce-xx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" })
    assert.strictEqual(
      header,
      `EG1-HMAC-SHA256 client_token=${credentials.clientToken};access_token=${credentials.accessToken};timestamp=20140321T19:34:21+0000;nonce=nonce-xx-xxxx-xxxx-xxxx-xxxxxxxxxxxx;signature=${signature}`,
    )
  })
})

describe("CdnPurge", () => {
  it.live("deletes the URLs at Akamai, in requests below its limit of 50 KB", () =>
    Effect.gen(function* () {
      const { requests, url } = yield* receive(201)
      const keys = Array.from({ length: 1_000 }, (_, index) => `media/${"x".repeat(60)}/v (1)/${index}.m4s`)
      yield* purge(keys).pipe(Effect.provide(AkamaiPurge.layer({ ...credentials, host: url, baseUrl })))
      const bodies = requests.map(({ body }) => body.toString())
      assert.isAbove(bodies.length, 1)
      for (const body of bodies) assert.isBelow(body.length, 50_000)
      const urls = bodies.flatMap((body) => JSON.parse(body).objects as ReadonlyArray<string>)
      assert.lengthOf(urls, 1_000)
      assert.strictEqual(urls[7], `https://cdn.example.com/v/media/${"x".repeat(60)}/v%20%281%29/7.m4s`)
      assert.strictEqual(requests[0]?.path, "/ccu/v3/delete/url/production")
      assert.match(requests[0]?.headers.authorization ?? "", /^EG1-HMAC-SHA256 client_token=akab-/)
    }),
  )

  it.live("calls the webhook with a signature", () =>
    Effect.gen(function* () {
      const { requests, url } = yield* receive(204)
      const secret = Redacted.make("a secret of this test")
      yield* purge(["media/m/1/a.m4s"]).pipe(Effect.provide(WebhookPurge.layer({ url, secret, baseUrl })))
      const [request] = requests
      assert.strictEqual(request?.body.toString(), '{"urls":["https://cdn.example.com/v/media/m/1/a.m4s"]}')
      const header = request?.headers["armoricore-signature"]
      const body = new Uint8Array(request?.body ?? [])
      yield* Signature.verify(new Map([["cdn", secret]]), String(header), body, Date.now())
    }),
  )

  it.live("a refusal names the setting, and a busy or missing CDN is asked again later without using up attempts", () =>
    Effect.gen(function* () {
      const refusing = yield* receive(403)
      const busy = yield* receive(429, { "retry-after": "7" })
      const failureAt = (host: string) =>
        Effect.flip(purge(["a"]).pipe(Effect.provide(AkamaiPurge.layer({ ...credentials, host, baseUrl }))))
      assert.deepInclude(yield* failureAt(refusing.url), { _tag: "ConfigurationError", setting: "AKAMAI_PURGE_HOST" })
      assert.deepInclude(yield* failureAt(busy.url), {
        _tag: "TransientError",
        code: "throttled",
        retryAfterMillis: 7_000,
        countsAsAttempt: false,
      })
      // regression: a deletion gave up after some minutes without the CDN, and was never reported.
      const secret = Redacted.make("a secret of this test")
      const away = WebhookPurge.layer({ url: "http://127.0.0.1:1/purge", secret, baseUrl })
      assert.deepInclude(yield* Effect.flip(purge(["a"]).pipe(Effect.provide(away))), {
        _tag: "TransientError",
        code: "unavailable",
        retryAfterMillis: 30_000,
        countsAsAttempt: false,
      })
    }),
  )
})
