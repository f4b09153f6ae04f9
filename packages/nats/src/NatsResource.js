/** Creates, checks and updates streams and consumers. Uses only features of NATS 2.9. */
import { ConfigurationError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
import { natsRequest, errorFrom, isConcurrentCreate, isNotFound } from "./NatsErrors.ts";
export const get = (resource, call) => Effect.tryPromise({ try: call, catch: (cause) => cause }).pipe(Effect.catchIf(isNotFound, () => Effect.succeed(undefined)), Effect.mapError(errorFrom(resource)));
/**
 * Returns false if another process created the stream at the same moment, perhaps another version of this program: read
 * it again.
 */
export const addStream = (resource, manager, wanted) => Effect.tryPromise({ try: () => manager.streams.add(wanted), catch: (cause) => cause }).pipe(Effect.as(true), Effect.catch((cause) => {
    const refused = Effect.fail(errorFrom(resource)(cause));
    if (!isConcurrentCreate(cause))
        return refused;
    return Effect.flatMap(get(resource, () => manager.streams.info(wanted.name)), (found) => (found === undefined ? refused : Effect.succeed(false)));
}));
/** Reads what another process created at the same moment. `undefined`: it has the expected settings. */
export const addConsumer = (resource, manager, stream, wanted) => Effect.tryPromise({ try: () => manager.consumers.add(stream, wanted), catch: (cause) => cause }).pipe(Effect.as(undefined), Effect.catch((cause) => isConcurrentCreate(cause)
    ? natsRequest(resource, () => manager.consumers.info(stream, wanted.durable_name))
    : Effect.fail(errorFrom(resource)(cause))));
/** The names of the settings that differ from the expected ones. */
export const diff = (existing, wanted) => {
    const have = new Map(Object.entries(existing));
    return Object.entries(wanted)
        .filter(([field, value]) => JSON.stringify(have.get(field) ?? zeroValue(value)) !== JSON.stringify(value))
        .map(([field]) => field);
};
/** The server omits fields that are zero or false. */
const zeroValue = (value) => typeof value === "number" ? 0 : typeof value === "boolean" ? false : undefined;
export const missing = (resource) => new ConfigurationError({
    setting: resource,
    message: `The ${resource} does not exist, and NATS_SETUP=verify does not create it; run "armoricore setup" as a NATS user that may create it`,
});
/** Logs the differences and returns them for the output of `setup`. */
export const reportDrift = (resource, changed) => Effect.as(Effect.logWarning(`The ${resource} on NATS has other settings (${changed.join(", ")}); "armoricore setup" updates it`), `${resource}: differs in ${changed.join(", ")}, not changed (NATS_SETUP=verify)`);
export const immutable = (resource, field, is, wanted) => new ConfigurationError({
    setting: resource,
    message: `The ${resource} has ${field} "${String(is)}" where "${String(wanted)}" is needed, and NATS cannot change that; move its messages elsewhere, delete it and run "armoricore setup"`,
});
