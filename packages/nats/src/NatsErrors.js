/** Maps the errors of NATS servers and of the client, which differ by version, to one error per recovery decision. */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
import { NatsError } from "nats";
const transient = (code, message, cause) => new TransientError({ dependency: "bus", code, message, ...(cause === undefined ? {} : { cause }) });
const isOutOfSpace = (description) => /maximum (bytes|messages)|insufficient|no space|resource/i.test(description);
/** JetStream's `err_code` numbers; stable over server versions. */
export const jetStreamErrorCode = (cause) => cause instanceof NatsError ? cause.api_error?.err_code : undefined;
/**
 * Another process is creating the stream or consumer at the same moment. A server that finds the other one half created
 * reports overlapping subjects, which is also its answer when a foreign stream uses the subjects. Read the resource
 * again to tell them apart.
 */
export const isConcurrentCreate = (cause) => [nameInUse, subjectsOverlap, consumerInUse, consumerDiffers].includes(jetStreamErrorCode(cause) ?? 0);
const nameInUse = 10058;
const subjectsOverlap = 10065;
const consumerInUse = 10013;
const consumerDiffers = 10148;
/** Clusters since NATS 2.11: a message with the same id was published a moment ago and is not stored yet. */
const duplicateInProgress = 10158;
export const isNotFound = (cause) => (cause instanceof NatsError && (cause.code === "404" || cause.api_error?.code === 404)) ||
    [10014, 10037, 10043, 10057, 10059].includes(jetStreamErrorCode(cause) ?? 0);
export const errorFrom = (resource) => (cause) => {
    if (!(cause instanceof NatsError))
        return transient("unavailable", `${resource}: ${String(cause)}`, cause);
    const description = cause.api_error?.description ?? cause.message;
    if (cause.isPermissionError()) {
        return new ConfigurationError({
            setting: resource,
            message: `The NATS user may not use ${resource} (${description}); extend its permissions`,
            cause,
        });
    }
    if (cause.code === "503" && cause.api_error === undefined) {
        return new ConfigurationError({
            setting: resource,
            message: `The NATS server does not answer for ${resource}: start it with JetStream (-js) and run "armoricore setup"`,
            cause,
        });
    }
    if (cause.code === "TIMEOUT")
        return transient("timeout", `NATS did not answer in time (${resource})`, cause);
    if (cause.api_error === undefined)
        return transient("unavailable", `${resource}: ${description}`, cause);
    if (cause.api_error.err_code === 10047 || cause.api_error.err_code === 10028) {
        return new ConfigurationError({
            setting: resource,
            message: `The NATS server has too little storage for ${resource} (${description}); raise its limits or lower the stream's size`,
            cause,
        });
    }
    // A cluster that is starting does not know its members yet.
    if (cause.api_error.err_code === 10005) {
        return transient("unavailable", `The NATS cluster has too few running servers for the replicas of ${resource} (${description}); start the other servers, or lower NATS_REPLICAS`, cause);
    }
    if (cause.api_error.err_code === 10074) {
        return new ConfigurationError({
            setting: "NATS_REPLICAS",
            message: `NATS cannot store that many replicas of ${resource} (${description}); lower NATS_REPLICAS to the number of servers in the cluster, 1 without one`,
            cause,
        });
    }
    if (cause.api_error.err_code === subjectsOverlap) {
        return new ConfigurationError({
            setting: resource,
            message: `Another stream on the NATS server uses subjects of ${resource} (${description}); find it with "nats stream ls --subjects" and delete it, or give Armoricore its own NATS account`,
            cause,
        });
    }
    if (cause.api_error.err_code === duplicateInProgress)
        return transient("unavailable", `${resource}: ${description}`, cause);
    if (isOutOfSpace(description))
        return transient("full", `${resource}: ${description}`, cause);
    return cause.api_error.code >= 500
        ? transient("unavailable", `${resource}: ${description}`, cause)
        : new ConfigurationError({ setting: resource, message: `NATS refuses ${resource}: ${description}`, cause });
};
/** Maps the error in a stream's publish response. */
export const publishErrorFrom = (subject, error) => {
    // The message or its headers exceed what a stream stores.
    if (error.err_code === 10054 || error.err_code === 10097) {
        return new PermanentError({
            code: "too_large",
            message: `NATS refuses the message for ${subject}: ${error.description}; store the content in object storage and publish its URL`,
        });
    }
    if (error.err_code === 10071)
        return transient("wrong_sequence", `${subject} was written by another publisher`);
    return isOutOfSpace(error.description)
        ? transient("full", `The stream behind ${subject} is full (${error.description}); wait until messages expire, or raise NATS_EVENTS_MAX_BYTES`)
        : transient("unavailable", `NATS could not store the message for ${subject}: ${error.description}`);
};
/** The stream exists but nothing responds for it: its servers are electing a leader. */
export const noLeader = (resource, cause) => transient("unavailable", `${resource} has no leader: an election is in progress; retrying`, cause);
/**
 * Requests to a stream itself rather than to the JetStream API. "No responders" means that the stream has no leader, or
 * that `setup` has not created it yet.
 */
export const streamRequest = (resource, call) => Effect.tryPromise({
    try: call,
    catch: (cause) => cause instanceof NatsError && cause.code === "503" && cause.api_error === undefined
        ? noLeader(resource, cause)
        : errorFrom(resource)(cause),
});
export const natsRequest = (resource, call) => Effect.tryPromise({ try: call, catch: errorFrom(resource) });
