/**
 * Revoked tokens that have not expired: all tokens of a user that were issued before a moment, or a single one by its
 * `jti`. Revocations are stored, so that they survive restarts, and broadcast, so that every node applies them at once and
 * closes the sockets. After a gap on the bus a node reads them again from the state.
 *
 * A token without `iat` counts as issued before every revocation of its user.
 */
import * as Backoff from "@armoricore/domain/Backoff";
import { encodeId } from "@armoricore/domain/EncodedId";
import * as Address from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import * as Collection from "@armoricore/state/Collection";
import { Clock, Context, Duration, Effect, Layer, Option, Queue, Schedule, Schema } from "effect";
import { Tokens, Unauthorized } from "./Tokens.ts";
export class Revocations extends Context.Service()("@armoricore/auth/Revocations") {
}
export const tokenRevoked = new Unauthorized({ reason: "revoked", message: "the token was revoked: log in again" });
/** Verifies a token and checks that it is not revoked. Every entry point of the server uses this. */
export const verify = (token) => Effect.gen(function* () {
    const tokens = yield* Tokens;
    const revocations = yield* Revocations;
    const identity = yield* tokens.verify(token);
    return revocations.isRevoked(identity) ? yield* tokenRevoked : identity;
});
const Revocation = Schema.Struct({
    kind: Schema.Literals(["user", "token"]),
    id: Schema.String,
    /** Epoch milliseconds. */
    at: Schema.Finite,
});
/** A token with a longer lifetime must be revoked again. */
const retention = Duration.days(90);
export const revocations = {
    bucket: { name: "revocations", maxAge: retention },
    schema: Revocation,
};
const address = Address.ephemeral("realtime.revoked");
const pageSize = 1000;
const Message = Schema.fromJsonString(Revocation);
const decode = Schema.decodeUnknownOption(Message);
const encode = Schema.encodeSync(Message);
export const layer = Layer.effect(Revocations, Effect.gen(function* () {
    const bus = yield* EventBus;
    const stored = yield* Collection.make(revocations);
    const users = new Map();
    const tokens = new Map();
    const listeners = new Set();
    /** Stored but not broadcast yet, because the bus was unavailable. */
    const unpublished = new Map();
    const apply = ({ kind, id, at }) => {
        const revoked = kind === "user" ? users : tokens;
        if ((revoked.get(id) ?? -1) >= at)
            return;
        revoked.set(id, at);
        for (const listener of listeners)
            listener();
    };
    const load = Effect.gen(function* () {
        let after;
        for (;;) {
            const documents = yield* stored.list({ limit: pageSize, ...(after === undefined ? {} : { after }) });
            for (const { value } of documents)
                apply(value);
            if (documents.length < pageSize)
                return;
            after = documents.at(-1)?.key;
        }
    });
    // Retries without limit: at the first start the state may not be set up yet, and accepting a revoked token is worse
    // than a repeated log line.
    const loadWithRetry = load.pipe(Effect.tapError((error) => Effect.logWarning("Revoked tokens could not be read; retrying", error)), Effect.retry(Backoff.capped("250 millis", "5 seconds")), Effect.orDie);
    const publish = (revocation) => Effect.catchTag(bus.broadcast(address, Buffer.from(encode(revocation))), "PermanentError", (error) => Effect.die(error));
    const publishPending = Effect.suspend(() => Effect.forEach([...unpublished], ([key, revocation]) => Effect.map(publish(revocation), () => unpublished.delete(key)), {
        discard: true,
    })).pipe(Effect.retry(Schedule.spaced("1 second")), Effect.orDie);
    const resyncs = yield* Effect.acquireRelease(Queue.sliding(1), Queue.shutdown);
    yield* bus.subscribe(address, ({ body }) => Option.match(decode(Buffer.from(body).toString()), { onNone: () => { }, onSome: apply }), () => {
        Queue.offerUnsafe(resyncs, true);
    });
    // The subscription comes before the first load, so that no revocation is missed.
    Queue.offerUnsafe(resyncs, true);
    yield* Effect.forkScoped(Effect.forever(Queue.take(resyncs).pipe(Effect.andThen(loadWithRetry), Effect.andThen(publishPending))));
    return {
        revoke: Effect.fn("Revocations.revoke")(function* (target) {
            const isUser = "userId" in target;
            const [kind, id] = isUser ? ["user", target.userId] : ["token", target.tokenId];
            // A node with a slow clock must not shorten a revocation of another node.
            const at = Math.max(yield* Clock.currentTimeMillis, (isUser ? users : tokens).get(id) ?? 0);
            const revocation = { kind, id, at };
            const key = `${kind}/${encodeId(id)}`;
            yield* stored.put(key, revocation, { expiresIn: retention });
            apply(revocation);
            yield* Effect.catchTag(publish(revocation), "TransientError", () => Effect.sync(() => {
                unpublished.set(key, revocation);
                Queue.offerUnsafe(resyncs, true);
            }));
        }),
        isRevoked: ({ userId, tokenId, issuedAt }) => {
            if (tokenId !== undefined && tokens.has(tokenId))
                return true;
            const at = users.get(userId);
            return at !== undefined && (issuedAt ?? 0) <= at;
        },
        onChange: (listener) => {
            listeners.add(listener);
            return () => listeners.delete(listener);
        },
    };
}));
