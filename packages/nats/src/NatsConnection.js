/**
 * One connection to NATS per process, shared by the bus, NATS KV and history. The layer builds at once, whether or not
 * a server is reachable; it connects in the background and reconnects for ever. Only credentials that are refused at
 * the first connection end it.
 */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors";
import { Context, Deferred, Effect, Layer, Stream, SubscriptionRef } from "effect";
import { Events, NatsError, connect, } from "nats";
import { describeTlsFault } from "@armoricore/domain/TlsFault";
import { clientOptions, redactedServers } from "./NatsOptions.ts";
import * as HeaderDecodingPatch from "./HeaderDecodingPatch.ts";
export class NatsConnection extends Context.Service()("@armoricore/nats/NatsConnection") {
}
const requestTimeout = 5_000;
const firstConnectTimeout = 3_000;
export const layer = (options) => Layer.effect(NatsConnection, Effect.gen(function* () {
    HeaderDecodingPatch.install();
    const first = yield* Deferred.make();
    /** The result of `first`. Every publish checks it, and an Exit can be read without waiting. */
    let firstExit;
    const status = yield* SubscriptionRef.make("disconnected");
    let lastFailure;
    const onFailure = (reason) => {
        lastFailure = reason;
    };
    // Owned by the layer. Ends with it, or when the server refuses the credentials.
    yield* Effect.forkScoped(dial(options, onFailure).pipe(Effect.tap((client) => trackStatus(client, status)), Effect.andThen((client) => Effect.promise(() => client.jetstreamManager({ checkAPI: false, timeout: requestTimeout })).pipe(Effect.map((manager) => ({ client, manager, js: client.jetstream({ timeout: requestTimeout }) })))), Effect.tap(() => SubscriptionRef.set(status, "connected")), Effect.tapError((error) => Effect.logError(error.message)), Effect.onExit((exit) => {
        firstExit = exit;
        return Deferred.done(first, exit);
    })));
    const jetstream = Effect.suspend(() => {
        if (firstExit === undefined) {
            return Effect.timeoutOrElse(Deferred.await(first), {
                duration: firstConnectTimeout,
                orElse: () => Effect.fail(notConnected(options, lastFailure)),
            });
        }
        if (SubscriptionRef.getUnsafe(status) === "connected")
            return firstExit;
        return Effect.flatMap(firstExit, () => Effect.fail(notConnected(options)));
    });
    return {
        jetstream,
        client: Effect.map(jetstream, ({ client }) => client),
        connected: Effect.map(Deferred.await(first), ({ client }) => client),
        status: SubscriptionRef.get(status),
        statusChanges: SubscriptionRef.changes(status),
    };
}));
const notConnected = (options, reason) => new TransientError({
    dependency: "bus",
    code: "unavailable",
    message: reason ?? `No NATS server answers at ${redactedServers(options)}; retrying`,
});
/** A server that answers, and whose TLS fails, is not away: the sentence says what to check. */
const tlsFault = (options, cause) => {
    const fault = describeTlsFault(cause, options.ca === undefined ? "set NATS_CA to the CA" : "check that NATS_CA is the CA");
    return fault === undefined
        ? undefined
        : `TLS to the NATS server at ${redactedServers(options)} fails: ${fault}; retrying`;
};
/** Retries until a server accepts the connection. Closes the connection with the scope. */
const dial = Effect.fnUntraced(function* (options, onFailure) {
    const parameters = yield* clientOptions(options);
    for (let attempts = 0;; attempts++) {
        const client = yield* Effect.acquireRelease(Effect.result(Effect.tryPromise({ try: () => connect(parameters), catch: (cause) => cause })), (connected) => (connected._tag === "Success" ? close(connected.success) : Effect.void));
        if (client._tag === "Success")
            return client.success;
        const cause = client.failure;
        if (cause instanceof NatsError && (cause.isAuthError() || cause.code === "BAD_AUTHENTICATION")) {
            return yield* new ConfigurationError({
                setting: "MESSAGE_BUS_URL",
                message: `The NATS server at ${redactedServers(options)} refuses the credentials; check user and password, NATS_CREDS or NATS_NKEY_SEED`,
                cause,
            });
        }
        if (isUnreadableCredentials(cause)) {
            return yield* new ConfigurationError({
                setting: "NATS_CREDS",
                message: "NATS_CREDS or NATS_NKEY_SEED cannot be read: give the whole .creds file, or a seed that begins with SU",
                cause,
            });
        }
        const fault = tlsFault(options, cause);
        if (fault !== undefined)
            onFailure(fault);
        if (attempts === 0)
            yield* Effect.logWarning(fault ?? `${notConnected(options).message}: ${String(cause)}`);
        yield* Effect.sleep("1 second");
    }
});
/** The client failed to sign the server's challenge: the credentials are malformed, not the server. */
const isUnreadableCredentials = (cause) => (cause instanceof NatsError && cause.code === "BAD_CREDS") ||
    (cause instanceof Error && cause.name === "NKeysError") ||
    (cause instanceof NatsError && cause.chainedError?.name === "NKeysError");
/** Flushes published messages before closing. A dead link is not waited for. */
const close = (client) => Effect.promise(() => client.drain()).pipe(Effect.timeoutOption("2 seconds"), Effect.andThen(Effect.promise(() => client.close())), Effect.ignoreCause);
const trackStatus = Effect.fnUntraced(function* (client, status) {
    yield* Effect.forkScoped(Stream.fromAsyncIterable(client.status(), (cause) => cause).pipe(Stream.runForEach((event) => {
        switch (event.type) {
            case Events.Disconnect:
                return SubscriptionRef.set(status, "disconnected").pipe(Effect.andThen(Effect.logWarning("The connection to NATS is lost; reconnecting")));
            case Events.Reconnect:
                return SubscriptionRef.set(status, "connected").pipe(Effect.andThen(Effect.logInfo("Reconnected to NATS")));
            case Events.Error:
                return Effect.logWarning("NATS reported an error", event.data, event.permissionContext ?? "");
            default:
                return Effect.void;
        }
    }), Effect.catch((cause) => Effect.logWarning("Reading the status of the NATS connection failed", cause))));
});
