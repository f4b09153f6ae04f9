/** Maps errors of NATS KV to one error per recovery decision. */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors";
import { isConcurrentCreate } from "@armoricore/nats/NatsErrors";
import { NatsError } from "nats";
/** No message with this subject: the entry does not exist. A missing stream is a 404 too and is mapped elsewhere. */
export const isNoMessage = (cause) => errorCode(cause) === 10037;
/** The bucket's stream does not exist, or has no leader. */
export const isNoResponders = (cause) => cause instanceof NatsError && cause.code === "503";
export const isStreamMissing = (cause) => errorCode(cause) === 10059 || (cause instanceof Error && cause.message === "stream not found");
export const missingBucket = (bucket) => new ConfigurationError({
    setting: `state bucket ${bucket}`,
    message: `the state bucket ${bucket} does not exist; run "armoricore setup"`,
});
/** Needs an operator. */
export const tooLarge = (bucket, cause) => new ConfigurationError({
    setting: `state bucket ${bucket}`,
    message: `a value for the state bucket ${bucket} is larger than max_payload of the NATS server`,
    cause,
});
export const toStateError = (bucket, cause) => {
    const said = cause instanceof Error ? cause.message : String(cause);
    if (isStreamMissing(cause))
        return missingBucket(bucket);
    if (cause instanceof NatsError && (cause.isPermissionError() || cause.isAuthError())) {
        return new ConfigurationError({
            setting: `state bucket ${bucket}`,
            message: `NATS refuses access to the state bucket ${bucket}; allow $KV.> and $JS.API.> to this user: ${said}`,
            cause,
        });
    }
    if (isConcurrentCreate(cause)) {
        return new ConfigurationError({
            setting: `state bucket ${bucket}`,
            message: `another stream on the NATS server uses the subjects of the state bucket ${bucket}; delete it, or give Armoricore its own NATS account:  ${said}`,
            cause,
        });
    }
    // 10047, 10077, 10023: insufficient storage for the stream, the account or the disk.
    const full = [10047, 10077, 10023].includes(errorCode(cause) ?? 0);
    return new TransientError({
        dependency: "state",
        code: full ? "full" : cause instanceof NatsError && cause.code === "TIMEOUT" ? "timeout" : "unavailable",
        message: `the state bucket ${bucket} cannot be used: ${said}`,
        cause,
    });
};
const errorCode = (cause) => cause instanceof NatsError ? cause.api_error?.err_code : undefined;
