/**
 * One connection to RabbitMQ per process. It reconnects for ever; only credentials or a virtual host refused at the
 * first connection end it.
 */
import { ConfigurationError } from "@armoricore/domain/Errors";
import { describeTlsFault } from "@armoricore/domain/TlsFault";
import { Deferred, Effect, Stream, SubscriptionRef } from "effect";
import { Connection } from "rabbitmq-client";
import { amqpErrorCode, errorFrom, transientError } from "./RabbitErrors.ts";
import { clientOptions, redactedServers } from "./RabbitOptions.ts";
import { install } from "./RawBodyPatch.ts";
const firstConnectTimeout = 3_000;
export const make = Effect.fnUntraced(function* (options) {
    const parameters = yield* Effect.result(clientOptions(options));
    const status = yield* SubscriptionRef.make("disconnected");
    const rejected = yield* Deferred.make();
    if (parameters._tag === "Failure")
        yield* Deferred.fail(rejected, parameters.failure);
    const fork = Effect.runForkWith(yield* Effect.context());
    let epoch = 0;
    let blocked = false;
    let wasReached = false;
    let tlsFault;
    const notConnected = () => transientError(blocked ? "full" : "unavailable", blocked
        ? `RabbitMQ at ${redactedServers(options)} rejects publishes: a memory or disk alarm is active`
        : tlsFault === undefined
            ? `No RabbitMQ server answers at ${redactedServers(options)}; retrying`
            : `TLS to the RabbitMQ server at ${redactedServers(options)} fails: ${tlsFault}; retrying`);
    const client = yield* Effect.acquireRelease(Effect.sync(() => {
        if (parameters._tag === "Failure")
            return undefined;
        const made = new Connection(parameters.success);
        made.on("connection", () => {
            epoch++;
            blocked = false;
            if (wasReached)
                fork(Effect.logInfo("Reconnected to RabbitMQ"));
            wasReached = true;
            tlsFault = undefined;
            fork(SubscriptionRef.set(status, "connected"));
        });
        made.on("connection.blocked", (reason) => {
            blocked = true;
            fork(Effect.logWarning(`RabbitMQ blocks publishers: ${reason}`));
        });
        made.on("connection.unblocked", () => {
            blocked = false;
        });
        made.on("error", (cause) => {
            if (!wasReached && credentialErrorCodes.has(amqpErrorCode(cause))) {
                fork(Deferred.fail(rejected, credentialsRejected(options, cause)));
                return made.unsafeDestroy();
            }
            tlsFault = describeTlsFault(cause, options.ca === undefined ? "set AMQP_CA to the CA" : "check that AMQP_CA is the CA");
            fork(Effect.logWarning(`The connection to RabbitMQ is lost or refused; reconnecting: ${tlsFault === undefined ? String(cause) : `TLS fails: ${tlsFault}`}`));
            if (!made.ready)
                fork(SubscriptionRef.set(status, "disconnected"));
        });
        return made;
    }), (made) => made === undefined
        ? Effect.void
        : Effect.promise(() => made.close()).pipe(Effect.timeoutOption("2 seconds"), Effect.andThen(Effect.sync(() => made.unsafeDestroy())), Effect.ignoreCause));
    const becomesConnected = Stream.runHead(Stream.filter(SubscriptionRef.changes(status), (current) => current === "connected")).pipe(Effect.asVoid);
    const connected = Effect.raceFirst(becomesConnected, Deferred.await(rejected));
    const available = Effect.suspend(() => {
        if (client?.ready === true)
            return Effect.void;
        if (wasReached)
            return Effect.fail(notConnected());
        return Effect.timeoutOrElse(connected, { duration: firstConnectTimeout, orElse: () => Effect.fail(notConnected()) });
    });
    const acquire = (onClose) => Effect.andThen(available, Effect.tryPromise({
        try: async () => {
            if (client === undefined)
                throw new Error("no connection");
            const channel = install(await client.acquire({ emitErrorsFromChannel: true }));
            channel.on("error", (cause) => {
                // The lock is held by another browser; the caller waits for it.
                if (amqpErrorCode(cause) === "RESOURCE_LOCKED")
                    return;
                fork(Effect.logWarning(`RabbitMQ closed a channel: ${String(cause)}`));
            });
            channel.once("close", () => onClose(channel));
            // It emits no second event.
            if (!channel.active)
                onClose(channel);
            return channel;
        },
        catch: errorFrom("connection"),
    }));
    const release = (channel) => Effect.ignoreCause(Effect.timeoutOption(Effect.promise(() => channel.close()), "2 seconds"));
    const connection = {
        available,
        connected,
        epoch: () => epoch,
        channel: (onClose = () => { }) => Effect.acquireRelease(acquire(onClose), release),
        withChannel: (resource, use) => Effect.scoped(Effect.flatMap(Effect.acquireRelease(acquire(() => { }), release), (channel) => Effect.tryPromise({ try: () => use(channel), catch: errorFrom(resource) }))).pipe(Effect.timeoutOrElse({
            duration: "15 seconds",
            orElse: () => Effect.fail(transientError("timeout", `RabbitMQ did not answer in time (${resource})`)),
        })),
        status: SubscriptionRef.get(status),
        statusChanges: SubscriptionRef.changes(status),
    };
    return connection;
});
/** The server's replies to a wrong password and to a virtual host that does not exist or is not open to this user. */
const credentialErrorCodes = new Set(["ACCESS_REFUSED", "NOT_ALLOWED"]);
const credentialsRejected = (options, cause) => new ConfigurationError({
    setting: "MESSAGE_BUS_URL",
    message: amqpErrorCode(cause) === "NOT_ALLOWED"
        ? `RabbitMQ at ${redactedServers(options)} refuses this user access to the virtual host of MESSAGE_BUS_URL; check both`
        : `RabbitMQ at ${redactedServers(options)} refuses the credentials; check user and password in MESSAGE_BUS_URL`,
    cause,
});
