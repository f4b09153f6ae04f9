/**
 * Verifies and signs JWTs. A token is verified against one secret (HS256) or against the keys of a JWKS URL (RS256, ES256).
 * The algorithm belongs to the key, never to the token's header, so `alg: none` and RS256 read as HS256 are rejected before
 * any claim is read.
 *
 * Claims: `user_id` or `sub`; `exp` (required); `roles`; optional `channels` (see {@link Identity}); `iat` and `jti`, by
 * which tokens are revoked; `nbf`; and issuer and audience if they are configured.
 */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { describeSchemaError } from "@armoricore/domain/EventCodec"
import { UserId } from "@armoricore/domain/Ids"
import { optionalNullable } from "@armoricore/domain/JsonCodecs"
import { Clock, Context, Duration, Effect, Layer, Redacted, Result, Schema } from "effect"
import * as Jose from "jose"
import * as Hs256 from "./Hs256.ts"
import type { Identity } from "./Identity.ts"

/** The token does not prove an identity; `message` is one sentence for the person who sent the token. */
export class Unauthorized extends Schema.TaggedError<Unauthorized>()("Unauthorized", {
  reason: Schema.Literals(["missing", "invalid", "expired", "revoked"]),
  message: Schema.String,
}) {}

export interface SignOptions {
  readonly userId: string
  readonly roles?: ReadonlyArray<string>
  readonly channels?: ReadonlyArray<string>
  /** Lifetime, at least one second, rounded up to whole seconds. */
  readonly ttl: Duration.Duration
}

export interface TokensOptions {
  readonly keys:
    /** HS256, `JWT_SECRET`: verifies and signs. */
    | { readonly _tag: "Secret"; readonly secret: Redacted.Redacted }
    /**
     * RS256 and ES256, `JWT_JWKS_URL`: verifies only. Keys are cached for 10 minutes. An unknown `kid`, as after a rotation,
     * fetches the URL again, at most once per `cooldown` (5 s), so that forged tokens cannot flood the key server.
     */
    | { readonly _tag: "Jwks"; readonly url: URL; readonly cooldown?: Duration.Duration }
  /** `JWT_ISSUER`: must equal `iss`. */
  readonly issuer?: string
  /** `JWT_AUDIENCE`: must be among `aud`. */
  readonly audience?: string
}

export class Tokens extends Context.Service<
  Tokens,
  {
    /**
     * The identity that a token proves. An absent or empty token is `Unauthorized` with the reason `missing`. Fails with
     * `TransientError` (dependency `jwks`) if the key server is unavailable; the token may be valid.
     */
    readonly verify: (token: string | undefined) => Effect.Effect<Identity, Unauthorized | TransientError>
    /** Signs a token for `armoricore token`. With a JWKS URL only the owner of its keys can sign. */
    readonly sign: (options: SignOptions) => Effect.Effect<string, ConfigurationError>
  }
>()("@armoricore/auth/Tokens") {}

export const layer = (options: TokensOptions): Layer.Layer<Tokens, ConfigurationError> =>
  Layer.effect(
    Tokens,
    Effect.gen(function* () {
      const keys = yield* makeVerifier(options)
      const verify = Effect.fnUntraced(function* (token: string | undefined) {
        if (token === undefined || token === "") {
          return yield* new Unauthorized({
            reason: "missing",
            message:
              "no token was sent: send a JWT, over HTTP as `Authorization: Bearer …`, to the socket as its parameter `token`",
          })
        }
        const claims = yield* keys.verify(token, yield* Clock.currentTimeMillis)
        return yield* Effect.fromResult(identityOf(claims))
      })

      const sign = Effect.fnUntraced(function* (request: SignOptions) {
        const key = keys.signingKey
        if (key === undefined) {
          return yield* new ConfigurationError({
            setting: "JWT_SECRET",
            message:
              "tokens are verified by JWT_JWKS_URL, so only the owner of its keys can sign; set JWT_SECRET instead",
          })
        }
        const now = yield* Clock.currentTimeMillis
        const claims = {
          user_id: request.userId,
          roles: [...(request.roles ?? [])],
          ...(request.channels === undefined ? {} : { channels: [...request.channels] }),
          // Rounded up to whole seconds.
          iat: Math.floor(now / 1000),
          exp: Math.ceil((now + Math.max(1_000, Duration.toMillis(request.ttl))) / 1000),
          ...(options.issuer === undefined ? {} : { iss: options.issuer }),
          ...(options.audience === undefined ? {} : { aud: options.audience }),
        }
        return yield* Effect.promise(() =>
          new Jose.SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(key),
        )
      })

      return { verify, sign }
    }),
  )

interface KeySet {
  readonly verify: (token: string, now: number) => Effect.Effect<Hs256.Claims, Unauthorized | TransientError>
  readonly signingKey?: Uint8Array
}

/** RFC 7518 requires a secret as long as the hash; a shorter one can be guessed offline from a single token. */
const minSecretBytes = 32

const makeVerifier: (options: TokensOptions) => Effect.Effect<KeySet, ConfigurationError> = Effect.fnUntraced(
  function* (options) {
    const { keys, issuer, audience } = options
    if (keys._tag === "Jwks") {
      const set = Jose.createRemoteJWKSet(keys.url, {
        cooldownDuration: Duration.toMillis(keys.cooldown ?? Duration.seconds(5)),
      })
      const checks = {
        algorithms: ["RS256", "ES256"],
        requiredClaims: ["exp"],
        ...(issuer === undefined ? {} : { issuer }),
        ...(audience === undefined ? {} : { audience }),
      }
      return {
        verify: (token, now) =>
          Effect.map(
            Effect.tryPromise({
              try: () => Jose.jwtVerify(token, set, { ...checks, currentDate: new Date(now) }),
              catch: joseErrorToUnauthorized,
            }),
            ({ payload }) => payload,
          ),
      }
    }
    const bytes = new TextEncoder().encode(Redacted.value(keys.secret))
    if (bytes.byteLength === 0) {
      return yield* new ConfigurationError({ setting: "JWT_SECRET", message: "JWT_SECRET is empty" })
    }
    if (bytes.byteLength < minSecretBytes) {
      yield* Effect.logWarning(
        `JWT_SECRET has ${bytes.byteLength} bytes; use at least ${minSecretBytes}, or it can be guessed from one token`,
      )
    }
    const verify = Hs256.verifier(bytes, { issuer, audience })
    return {
      verify: (token, now) => Effect.fromResult(Result.mapError(verify(token, now), toUnauthorized)),
      signingKey: bytes,
    }
  },
)

const invalid = (message: string) => new Unauthorized({ reason: "invalid", message })

const expired = new Unauthorized({ reason: "expired", message: "the token has expired: get a new one" })
const wrongAlgorithm = invalid("the token is signed with an algorithm that this server does not accept")
const malformed = invalid("the token is not a JWT with a valid signature")

const toUnauthorized = (fault: Hs256.VerificationFailure): Unauthorized => {
  switch (fault._tag) {
    case "Malformed":
      return malformed
    case "Algorithm":
      return wrongAlgorithm
    case "Expired":
      return expired
    case "Claim":
      return invalid(`the claim ${fault.claim} of the token is invalid: ${fault.message}`)
  }
}

const joseErrorToUnauthorized = (cause: unknown): Unauthorized | TransientError => {
  if (cause instanceof Jose.errors.JWTExpired) return expired
  if (cause instanceof Jose.errors.JWTClaimValidationFailed) {
    return invalid(`the claim ${cause.claim} of the token is invalid: ${cause.message}`)
  }
  if (cause instanceof Jose.errors.JOSEAlgNotAllowed) return wrongAlgorithm
  if (cause instanceof Jose.errors.JWKSNoMatchingKey) return invalid("no key of the key set matches the token's kid")
  if (isKeyServerError(cause)) {
    return new TransientError({
      dependency: "jwks",
      code: "unavailable",
      message: "the key set of JWT_JWKS_URL could not be fetched; try again later",
      cause,
    })
  }
  return malformed
}

/** While it fetches keys, `jose` throws its plain base class, or errors of other classes. */
const isKeyServerError = (cause: unknown): boolean =>
  !(cause instanceof Jose.errors.JOSEError) ||
  cause instanceof Jose.errors.JWKSTimeout ||
  cause instanceof Jose.errors.JWKSInvalid ||
  cause.code === "ERR_JOSE_GENERIC"

const Claims = Schema.Struct({
  user_id: optionalNullable(UserId),
  sub: optionalNullable(UserId),
  exp: Schema.Finite,
  iat: optionalNullable(Schema.Finite),
  jti: optionalNullable(Schema.String),
  roles: optionalNullable(Schema.Array(Schema.String)),
  channels: optionalNullable(Schema.Array(Schema.String)),
})
const decodeClaims = Schema.decodeUnknownResult(Claims)

/** Hot path: checks the usual claims by hand, because Schema would dominate the cost of thousands of connections per second. */
const decodePlainClaims = (payload: Hs256.Claims): typeof Claims.Type | undefined => {
  const { user_id, sub, exp, iat, jti, roles, channels } = payload
  const fits =
    isPlainId(user_id) &&
    sub === undefined &&
    Number.isFinite(exp) &&
    (iat === undefined || Number.isFinite(iat)) &&
    (jti === undefined || typeof jti === "string") &&
    (roles === undefined || isStringArray(roles)) &&
    (channels === undefined || isStringArray(channels))
  // The checks above prove the type; TypeScript does not narrow a record of unknowns.
  return fits ? (payload as unknown as typeof Claims.Type) : undefined
}

const plainIdPattern = /^[A-Za-z0-9_-]{1,128}$/
const isPlainId = (value: unknown): boolean => typeof value === "string" && plainIdPattern.test(value)
const isStringArray = (value: unknown): boolean =>
  Array.isArray(value) && value.every((text) => typeof text === "string")

/** The largest valid date, in the year 275760. Some signers write a larger `exp` for "never", or milliseconds. */
const maxDateMillis = 8.64e15

const identityOf = (payload: Hs256.Claims): Result.Result<Identity, Unauthorized> => {
  const plain = decodePlainClaims(payload)
  const claims = plain === undefined ? decodeClaims(payload) : Result.succeed(plain)
  if (Result.isFailure(claims)) {
    const { path, message } = describeSchemaError(claims.failure)
    return Result.fail(invalid(`the claim ${path} of the token is invalid: ${message}`))
  }
  const { user_id, sub, exp, iat, jti, roles, channels } = claims.success
  const userId = user_id ?? sub
  if (userId === undefined) return Result.fail(invalid("the token names no user: it needs the claim user_id or sub"))
  return Result.succeed({
    userId,
    roles: roles ?? [],
    ...(channels === undefined ? {} : { channels }),
    expiresAt: Math.min(exp * 1000, maxDateMillis),
    ...(iat === undefined ? {} : { issuedAt: iat * 1000 }),
    ...(jti === undefined ? {} : { tokenId: jti }),
  })
}
