/**
 * Tokens that no longer count although they have not ended: all of a user that were made before a moment, or a single
 * one by its `jti`. Kept in the state, so that it outlives a restart, and said on the bus, so that every node heeds it
 * at once and closes the sockets; what a node may have missed while the bus was away it reads again from the state.
 *
 * A token without `iat` counts as made before every revocation of its user.
 */
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import * as Collection from "@armoricore/state/Collection"
import type { KeyValue } from "@armoricore/state/KeyValue"
import { Clock, Context, Duration, Effect, Layer, Option, Queue, Schedule, Schema } from "effect"
import type { Identity } from "./Identity.ts"
import { Tokens, Unauthorized } from "./Tokens.ts"

/** What an operator names. */
export type Target = { readonly userId: string } | { readonly tokenId: string }

export class Revocations extends Context.Service<
  Revocations,
  {
    /**
     * From now on: tokens of the user made until now, or this one token. Succeeds once it is stored; other nodes hear
     * of it at once while the bus is up, and else when it is back. `TransientError`: it may or may not be stored, ask again.
     */
    readonly revoke: (target: Target) => Effect.Effect<void, TransientError | ConfigurationError>
    readonly isRevoked: (identity: Identity) => boolean
    /** Calls back after every change, until the scope closes. */
    readonly onChange: (listener: () => void) => () => void
  }
>()("@armoricore/auth/Revocations") {}

/** What a token that was revoked is answered with. */
export const revoked = new Unauthorized({ reason: "revoked", message: "the token was revoked: log in again" })

/** The identity that a token proves, unless it was revoked: what every door of the server asks. */
export const verify = (
  token: string | undefined,
): Effect.Effect<Identity, Unauthorized | TransientError, Tokens | Revocations> =>
  Effect.gen(function* () {
    const tokens = yield* Tokens
    const revocations = yield* Revocations
    const identity = yield* tokens.verify(token)
    return revocations.isRevoked(identity) ? yield* revoked : identity
  })

const Revocation = Schema.Struct({
  kind: Schema.Literals(["user", "token"]),
  id: Schema.String,
  /** Epoch milliseconds. */
  at: Schema.Finite,
})
type Revocation = typeof Revocation.Type

/** A token that lasts longer than this must be revoked again. */
const kept = Duration.days(90)

export const revocations: Collection.Descriptor<Revocation, typeof Revocation.Encoded> = {
  bucket: { name: "revocations", maxAge: kept },
  schema: Revocation,
}

const address = Address.live("realtime.revoked")
const page = 1000

const Message = Schema.fromJsonString(Revocation)
const decode = Schema.decodeUnknownOption(Message)
const encode = Schema.encodeSync(Message)

export const layer: Layer.Layer<Revocations, TransientError | ConfigurationError, EventBus | KeyValue> = Layer.effect(
  Revocations,
  Effect.gen(function* () {
    const bus = yield* EventBus
    const stored = yield* Collection.make(revocations)
    const users = new Map<string, number>()
    const tokens = new Map<string, number>()
    const listeners = new Set<() => void>()
    /** Stored, and not told to the others yet: the bus was away. */
    const untold = new Map<string, Revocation>()

    const remember = ({ kind, id, at }: Revocation): void => {
      const known = kind === "user" ? users : tokens
      if ((known.get(id) ?? -1) >= at) return
      known.set(id, at)
      for (const listener of listeners) listener()
    }

    const load = Effect.gen(function* () {
      let after: string | undefined
      for (;;) {
        const documents = yield* stored.list({ limit: page, ...(after === undefined ? {} : { after }) })
        for (const { value } of documents) remember(value)
        if (documents.length < page) return
        after = documents.at(-1)?.key
      }
    })
    // Without an end, whatever the fault: at a first start the state may not be set up yet, and a revoked token that
    // counts is worse than a log that repeats itself.
    const patiently = load.pipe(
      Effect.tapError((error) => Effect.logWarning("revoked tokens cannot be read; trying again", error)),
      Effect.retry(Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("5 seconds")])),
      Effect.orDie,
    )

    const tell = (revocation: Revocation) =>
      Effect.catchTag(bus.broadcast(address, Buffer.from(encode(revocation))), "PermanentError", (error) =>
        Effect.die(error),
      )
    const tellLate = Effect.suspend(() =>
      Effect.forEach([...untold], ([key, revocation]) => Effect.map(tell(revocation), () => untold.delete(key)), {
        discard: true,
      }),
    ).pipe(Effect.retry(Schedule.spaced("1 second")), Effect.orDie)

    const gaps = yield* Effect.acquireRelease(Queue.sliding<true>(1), Queue.shutdown)
    yield* bus.listen(
      address,
      ({ body }) => Option.match(decode(Buffer.from(body).toString()), { onNone: () => {}, onSome: remember }),
      () => {
        Queue.offerUnsafe(gaps, true)
      },
    )
    // Listening first: what is revoked while the state is read is heard.
    Queue.offerUnsafe(gaps, true)
    yield* Effect.forkScoped(Effect.forever(Queue.take(gaps).pipe(Effect.andThen(patiently), Effect.andThen(tellLate))))

    return {
      revoke: Effect.fnUntraced(function* (target) {
        const isUser = "userId" in target
        const [kind, id] = isUser ? (["user", target.userId] as const) : (["token", target.tokenId] as const)
        // A node whose date is behind takes nothing back of what another one revoked.
        const at = Math.max(yield* Clock.currentTimeMillis, (isUser ? users : tokens).get(id) ?? 0)
        const revocation: Revocation = { kind, id, at }
        const key = `${kind}/${id}`
        yield* stored.put(key, revocation, { expiresIn: kept })
        remember(revocation)
        yield* Effect.catchTag(tell(revocation), "TransientError", () =>
          Effect.sync(() => {
            untold.set(key, revocation)
            Queue.offerUnsafe(gaps, true)
          }),
        )
      }),
      isRevoked: ({ userId, tokenId, issuedAt }) => {
        if (tokenId !== undefined && tokens.has(tokenId)) return true
        const at = users.get(userId)
        return at !== undefined && (issuedAt ?? 0) <= at
      },
      onChange: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    }
  }),
)
