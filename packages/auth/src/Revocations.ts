/**
 * Tokens that no longer count although they have not ended: all of a user that were made before a moment, or a single
 * one by its `jti`. Kept in the state, so that it outlives a restart, and said on the bus, so that every node heeds it
 * at once and closes the sockets; what a node may have missed while the bus was away it reads again from the state.
 *
 * A token without `iat` counts as made before every revocation of its user.
 */
import * as Backoff from "@armoricore/domain/Backoff"
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import * as Collection from "@armoricore/state/Collection"
import type { KeyValue } from "@armoricore/state/KeyValue"
import { Clock, Context, Duration, Effect, Layer, Option, Queue, Schedule, Schema } from "effect"
import type { Identity } from "./Identity.ts"
import { Tokens, Unauthorized } from "./Tokens.ts"

/** What an operator names. */
export type RevocationTarget = { readonly userId: string } | { readonly tokenId: string }

export class Revocations extends Context.Service<
  Revocations,
  {
    /**
     * From now on: tokens of the user made until now, or this one token. Succeeds once it is stored; other nodes hear
     * of it at once while the bus is up, and else when it is back. `TransientError`: it may or may not be stored, ask again.
     */
    readonly revoke: (target: RevocationTarget) => Effect.Effect<void, TransientError | ConfigurationError>
    readonly isRevoked: (identity: Identity) => boolean
    /** Calls back after every change, until the scope closes. */
    readonly onChange: (listener: () => void) => () => void
  }
>()("@armoricore/auth/Revocations") {}

/** What a token that was revoked is answered with. */
export const tokenRevoked = new Unauthorized({ reason: "revoked", message: "the token was revoked: log in again" })

/** The identity that a token proves, unless it was revoked: what every door of the server asks. */
export const verify = (
  token: string | undefined,
): Effect.Effect<Identity, Unauthorized | TransientError, Tokens | Revocations> =>
  Effect.gen(function* () {
    const tokens = yield* Tokens
    const revocations = yield* Revocations
    const identity = yield* tokens.verify(token)
    return revocations.isRevoked(identity) ? yield* tokenRevoked : identity
  })

const Revocation = Schema.Struct({
  kind: Schema.Literals(["user", "token"]),
  id: Schema.String,
  /** Epoch milliseconds. */
  at: Schema.Finite,
})
type Revocation = typeof Revocation.Type

/** A token that lasts longer than this must be revoked again. */
const retention = Duration.days(90)

export const revocations: Collection.Descriptor<Revocation, typeof Revocation.Encoded> = {
  bucket: { name: "revocations", maxAge: retention },
  schema: Revocation,
}

const address = Address.ephemeral("realtime.revoked")
const pageSize = 1000

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
    const unpublished = new Map<string, Revocation>()

    const apply = ({ kind, id, at }: Revocation): void => {
      const known = kind === "user" ? users : tokens
      if ((known.get(id) ?? -1) >= at) return
      known.set(id, at)
      for (const listener of listeners) listener()
    }

    const load = Effect.gen(function* () {
      let after: string | undefined
      for (;;) {
        const documents = yield* stored.list({ limit: pageSize, ...(after === undefined ? {} : { after }) })
        for (const { value } of documents) apply(value)
        if (documents.length < pageSize) return
        after = documents.at(-1)?.key
      }
    })
    // Without an end, whatever the fault: at a first start the state may not be set up yet, and a revoked token that
    // counts is worse than a log that repeats itself.
    const loadWithRetry = load.pipe(
      Effect.tapError((error) => Effect.logWarning("revoked tokens cannot be read; trying again", error)),
      Effect.retry(Backoff.capped("250 millis", "5 seconds")),
      Effect.orDie,
    )

    const publish = (revocation: Revocation) =>
      Effect.catchTag(bus.broadcast(address, Buffer.from(encode(revocation))), "PermanentError", (error) =>
        Effect.die(error),
      )
    const publishPending = Effect.suspend(() =>
      Effect.forEach(
        [...unpublished],
        ([key, revocation]) => Effect.map(publish(revocation), () => unpublished.delete(key)),
        {
          discard: true,
        },
      ),
    ).pipe(Effect.retry(Schedule.spaced("1 second")), Effect.orDie)

    const resyncs = yield* Effect.acquireRelease(Queue.sliding<true>(1), Queue.shutdown)
    yield* bus.subscribe(
      address,
      ({ body }) => Option.match(decode(Buffer.from(body).toString()), { onNone: () => {}, onSome: apply }),
      () => {
        Queue.offerUnsafe(resyncs, true)
      },
    )
    // Listening first: what is revoked while the state is read is heard.
    Queue.offerUnsafe(resyncs, true)
    yield* Effect.forkScoped(
      Effect.forever(Queue.take(resyncs).pipe(Effect.andThen(loadWithRetry), Effect.andThen(publishPending))),
    )

    return {
      revoke: Effect.fnUntraced(function* (target) {
        const isUser = "userId" in target
        const [kind, id] = isUser ? (["user", target.userId] as const) : (["token", target.tokenId] as const)
        // A node whose date is behind takes nothing back of what another one revoked.
        const at = Math.max(yield* Clock.currentTimeMillis, (isUser ? users : tokens).get(id) ?? 0)
        const revocation: Revocation = { kind, id, at }
        const key = `${kind}/${id}`
        yield* stored.put(key, revocation, { expiresIn: retention })
        apply(revocation)
        yield* Effect.catchTag(publish(revocation), "TransientError", () =>
          Effect.sync(() => {
            unpublished.set(key, revocation)
            Queue.offerUnsafe(resyncs, true)
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
