import { type Identity } from "@armoricore/auth/Identity"
import { layer, Tokens, type TokensOptions } from "@armoricore/auth/Tokens"
import { malformedToken } from "@armoricore/auth/Unauthorized"
import { remembering } from "@armoricore/auth/VerifiedTokens"
import * as FakeHttpServer from "@armoricore/testing/fakes/FakeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import * as Jose from "jose"

const secret = "a-secret-that-is-long-enough-for-hs256-to-be-worth-something"
const secretKey = new TextEncoder().encode(secret)
const bySecret = (extra?: Omit<TokensOptions, "keys">) =>
  layer({ keys: { _tag: "Secret", secret: Redacted.make(secret) }, ...extra })

/** A token as another backend would sign it. */
const foreign = (claims: Record<string, unknown>, key: Uint8Array = secretKey, alg = "HS256") =>
  Effect.promise(() => new Jose.SignJWT(claims).setProtectedHeader({ alg }).sign(key))

const verify = (token: string | undefined) => Effect.flatMap(Tokens, (tokens) => tokens.verify(token))
const refusal = (token: string | undefined) =>
  Effect.map(Effect.flip(verify(token)), (error) => (error._tag === "Unauthorized" ? error.reason : error._tag))

describe("VerifiedTokens", () => {
  it.effect("verifies a token once until its `exp`, at most ten minutes, and a refused one each time", () =>
    Effect.gen(function* () {
      let verified = 0
      const verify = remembering((token) => {
        verified++
        return token === "bad" ? Effect.fail(malformedToken) : Effect.succeed({ sub: token, exp: 1000 })
      })
      const countAfter = (token: string, now: number) => Effect.map(Effect.exit(verify(token, now)), () => verified)
      assert.deepStrictEqual(yield* verify("u1", 0), { sub: "u1", exp: 1000 })
      assert.strictEqual(yield* countAfter("u1", 599_999), 1)
      assert.strictEqual(yield* countAfter("u1", 600_000), 2)
      assert.strictEqual(yield* countAfter("u1", 999_999), 2)
      // From here on the leeway decides.
      assert.strictEqual(yield* countAfter("u1", 1_000_000), 3)
      assert.strictEqual(yield* countAfter("u1", 1_000_001), 4)
      assert.strictEqual(yield* countAfter("bad", 0), 5)
      assert.strictEqual(yield* countAfter("bad", 0), 6)
    }),
  )
})

describe("Tokens with a secret", () => {
  it.effect("verifies the tokens that it signs", () =>
    Effect.gen(function* () {
      const tokens = yield* Tokens
      const token = yield* tokens.sign({
        userId: "u1",
        roles: ["operator"],
        channels: ["chat:room:*"],
        ttl: Duration.hours(1),
      })
      const expected: Identity = {
        userId: "u1",
        roles: ["operator"],
        channels: ["chat:room:*"],
        expiresAt: 3_600_000,
        issuedAt: 0,
      }
      assert.deepStrictEqual(yield* tokens.verify(token), expected)
    }).pipe(Effect.provide(bySecret())),
  )

  it.effect("a token for one second lasts at least one second", () =>
    // regression: signed at the end of a second, it expired with that second
    Effect.gen(function* () {
      yield* TestClock.adjust("999 millis")
      const token = yield* (yield* Tokens).sign({ userId: "u1", ttl: Duration.seconds(1) })
      yield* TestClock.adjust("999 millis")
      assert.strictEqual((yield* verify(token)).userId, "u1")
      yield* TestClock.adjust("2 millis")
      assert.strictEqual(yield* refusal(token), "expired")
    }).pipe(Effect.provide(bySecret({ leeway: Duration.zero }))),
  )

  it.effect("a token is accepted until `exp` plus the leeway, and its identity expires at the same time", () =>
    // regression: clocks that differed by 2 s made every new token invalid
    Effect.gen(function* () {
      const token = yield* (yield* Tokens).sign({ userId: "u1", ttl: Duration.minutes(1) })
      yield* TestClock.adjust("400 millis")
      const claims = Jose.decodeJwt(yield* (yield* Tokens).sign({ userId: "u1", ttl: Duration.hours(1) }))
      // regression: `exp` was rounded up, so a token of one hour lived for 3,601 s
      assert.deepInclude(claims, { iat: 0, exp: 3_600 })
      yield* TestClock.adjust("58600 millis")
      assert.strictEqual((yield* verify(token)).expiresAt, 60_000)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual((yield* verify(token)).expiresAt, 90_000)
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(yield* refusal(token), "expired")
    }).pipe(Effect.provide(bySecret())),
  )

  it.effect("a token whose nbf or iat is in the future is accepted within the leeway only", () =>
    Effect.gen(function* () {
      for (const claim of ["nbf", "iat"]) {
        yield* verify(yield* foreign({ sub: "x", exp: 60, [claim]: 30 }))
        assert.strictEqual(yield* refusal(yield* foreign({ sub: "x", exp: 60, [claim]: 31 })), "invalid", claim)
      }
    }).pipe(Effect.provide(bySecret())),
  )

  it.effect("a leeway of 0 compares the times exactly", () =>
    Effect.gen(function* () {
      yield* verify(yield* foreign({ sub: "x", exp: 1, nbf: 0, iat: 0 }))
      for (const times of [{ exp: 0 }, { exp: 60, nbf: 1 }, { exp: 60, iat: 1 }])
        assert.oneOf(yield* refusal(yield* foreign({ sub: "x", ...times })), ["invalid", "expired"])
    }).pipe(Effect.provide(bySecret({ leeway: Duration.zero }))),
  )

  it.effect("an exp beyond the largest date is limited to it", () =>
    // regression: an exp in milliseconds became an invalid date
    Effect.gen(function* () {
      const { expiresAt } = yield* verify(yield* foreign({ user_id: "u1", exp: 9_999_999_999_999 }))
      assert.strictEqual(new Date(expiresAt).toISOString(), "+275760-09-13T00:00:00.000Z")
    }).pipe(Effect.provide(bySecret())),
  )

  it.effect("user_id takes precedence over sub, sub is enough, and an integer becomes text", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* verify(yield* foreign({ user_id: 42, sub: "x", exp: 60 }))).userId, "42")
      assert.strictEqual((yield* verify(yield* foreign({ sub: "x", exp: 60 }))).userId, "x")
    }).pipe(Effect.provide(bySecret())),
  )

  it.effect("rejects absent, forged and unsigned tokens, and tokens without exp, without a user or before nbf", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* refusal(undefined), "missing")
      assert.strictEqual(yield* refusal(""), "missing")
      assert.strictEqual(yield* refusal("not.a.jwt"), "invalid")
      const other = new TextEncoder().encode("another-secret-that-is-long-enough-for-hs256")
      assert.strictEqual(yield* refusal(yield* foreign({ sub: "x", exp: 60 }, other)), "invalid")
      assert.strictEqual(yield* refusal(yield* foreign({ sub: "x", exp: 60 }, secretKey, "HS512")), "invalid")
      assert.strictEqual(yield* refusal(yield* foreign({ sub: "x" })), "invalid")
      assert.strictEqual(yield* refusal(yield* foreign({ exp: 60 })), "invalid")
      assert.strictEqual(yield* refusal(yield* foreign({ sub: "a b", exp: 60 })), "invalid")
      assert.strictEqual(yield* refusal(yield* foreign({ sub: "x", exp: 60, roles: 7 })), "invalid")
      const none = new Jose.UnsecuredJWT({ sub: "x", exp: 60 }).encode()
      assert.strictEqual(yield* refusal(none), "invalid")
    }).pipe(Effect.provide(bySecret())),
  )

  it.effect("issuer and audience must match if they are configured", () =>
    Effect.gen(function* () {
      const claims = { sub: "x", exp: 60, iss: "shop", aud: ["armoricore", "other"] }
      yield* verify(yield* foreign(claims))
      assert.strictEqual(yield* refusal(yield* foreign({ ...claims, iss: "thief" })), "invalid")
      assert.strictEqual(yield* refusal(yield* foreign({ ...claims, aud: "other" })), "invalid")
      assert.strictEqual(yield* refusal(yield* foreign({ sub: "x", exp: 60 })), "invalid")
      yield* verify(yield* (yield* Tokens).sign({ userId: "x", ttl: Duration.minutes(1) }))
    }).pipe(Effect.provide(bySecret({ issuers: ["shop"], audience: "armoricore" }))),
  )

  it.effect("an empty secret fails at start", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.provide(verify("x"), layer({ keys: { _tag: "Secret", secret: Redacted.make("") } })),
      )
      assert.strictEqual(error._tag, "ConfigurationError")
    }),
  )
})

/** A key server on a free port; `keys` may be changed while it runs. */
const keyServer = Effect.gen(function* () {
  const state: { keys: Array<Jose.JWK>; status: number; asked: number } = { keys: [], status: 200, asked: 0 }
  const url = yield* FakeHttpServer.listenHttp(() => {
    state.asked++
    return { status: state.status, body: JSON.stringify({ keys: state.keys }) }
  })
  return { state, url: new URL(`${url}/keys`) }
})

const keyPair = (alg: string, kid: string) =>
  Effect.promise(async () => {
    const pair = await Jose.generateKeyPair(alg, { extractable: true })
    const jwk = { ...(await Jose.exportJWK(pair.publicKey)), kid, alg, use: "sig" }
    const sign = (claims: Record<string, unknown>) =>
      new Jose.SignJWT(claims).setProtectedHeader({ alg, kid }).sign(pair.privateKey)
    return { jwk, sign: (claims: Record<string, unknown>) => Effect.promise(() => sign(claims)) }
  })

describe("Tokens with a JWKS URL", () => {
  const inAnHour = () => Math.floor(Date.now() / 1000) + 3600

  it.live.each(["RS256", "ES256"])("verifies %s and refuses to sign", (alg) =>
    Effect.gen(function* () {
      const server = yield* keyServer
      const pair = yield* keyPair(alg, "k1")
      server.state.keys = [pair.jwk]
      yield* Effect.gen(function* () {
        assert.strictEqual((yield* verify(yield* pair.sign({ sub: "x", exp: inAnHour() }))).userId, "x")
        const stranger = yield* keyPair(alg, "k1")
        assert.strictEqual(yield* refusal(yield* stranger.sign({ sub: "x", exp: inAnHour() })), "invalid")
        assert.strictEqual(yield* refusal(yield* foreign({ sub: "x", exp: inAnHour() })), "invalid")
        const error = yield* Effect.flip((yield* Tokens).sign({ userId: "x", ttl: Duration.hours(1) }))
        assert.strictEqual(error.setting, "JWT_SECRET")
      }).pipe(Effect.provide(layer({ keys: { _tag: "Jwks", urls: [server.url] } })))
    }),
  )

  it.live(
    "after a rotation new keys are accepted at once, withdrawn ones are not, and unknown ones do not flood the server",
    () =>
      Effect.gen(function* () {
        const server = yield* keyServer
        const [old, fresh, forged] = [
          yield* keyPair("ES256", "k1"),
          yield* keyPair("RS256", "k2"),
          yield* keyPair("ES256", "k3"),
        ]
        const claims = { sub: "x", exp: inAnHour() }
        const rotate = Effect.gen(function* () {
          server.state.keys = [old.jwk]
          yield* verify(yield* old.sign(claims))
          server.state.keys = [fresh.jwk]
          yield* verify(yield* fresh.sign(claims))
          assert.strictEqual(yield* refusal(yield* old.sign(claims)), "invalid")
        })
        yield* Effect.provide(rotate, layer({ keys: { _tag: "Jwks", urls: [server.url], cooldown: Duration.zero } }))
        yield* Effect.gen(function* () {
          yield* verify(yield* fresh.sign(claims))
          const asked = server.state.asked
          for (let n = 0; n < 20; n++) assert.strictEqual(yield* refusal(yield* forged.sign(claims)), "invalid")
          assert.strictEqual(server.state.asked, asked)
        }).pipe(Effect.provide(layer({ keys: { _tag: "Jwks", urls: [server.url] } })))
      }),
  )

  it.live("an unavailable key server is a transient error, not an invalid token", () =>
    Effect.gen(function* () {
      const server = yield* keyServer
      server.state.status = 503
      const pair = yield* keyPair("ES256", "k1")
      const token = yield* pair.sign({ sub: "x", exp: inAnHour() })
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* refusal(token), "TransientError")
      }).pipe(Effect.provide(layer({ keys: { _tag: "Jwks", urls: [server.url] } })))
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* refusal(token), "TransientError")
      }).pipe(Effect.provide(layer({ keys: { _tag: "Jwks", urls: [new URL("http://127.0.0.1:1/keys")] } })))
    }),
  )
})
