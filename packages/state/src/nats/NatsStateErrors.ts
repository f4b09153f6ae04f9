/** What NATS says, as the taxonomy: who can cure it. */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { isConcurrentCreate } from "@armoricore/nats/NatsErrors"
import { NatsError } from "nats"
import type { StateError } from "../KeyValue.ts"

/** No message of this subject: nothing there. A stream that is not there is a 404 too, and another matter. */
export const isNoMessage = (cause: unknown): boolean => errorCode(cause) === 10037

/** Either the bucket's stream is not there, or nobody leads it just now. */
export const isNoResponders = (cause: unknown): boolean => cause instanceof NatsError && cause.code === "503"

export const isStreamMissing = (cause: unknown): boolean =>
  errorCode(cause) === 10059 || (cause instanceof Error && cause.message === "stream not found")

export const missingBucket = (bucket: string): ConfigurationError =>
  new ConfigurationError({
    setting: `state bucket ${bucket}`,
    message: `the state bucket ${bucket} does not exist; run "armoricore setup"`,
  })

/** Only an operator can cure it. */
export const tooLarge = (bucket: string, cause: unknown): ConfigurationError =>
  new ConfigurationError({
    setting: `state bucket ${bucket}`,
    message: `a value for the state bucket ${bucket} is larger than max_payload of the NATS server`,
    cause,
  })

export const toStateError = (bucket: string, cause: unknown): StateError => {
  const said = cause instanceof Error ? cause.message : String(cause)
  if (isStreamMissing(cause)) return missingBucket(bucket)
  if (cause instanceof NatsError && (cause.isPermissionError() || cause.isAuthError())) {
    return new ConfigurationError({
      setting: `state bucket ${bucket}`,
      message: `NATS refuses access to the state bucket ${bucket}; allow $KV.> and $JS.API.> to this user: ${said}`,
      cause,
    })
  }
  if (isConcurrentCreate(cause)) {
    return new ConfigurationError({
      setting: `state bucket ${bucket}`,
      message: `another stream on the NATS server takes the subjects of the state bucket ${bucket}: delete it, or give Armoricore a NATS account of its own: ${said}`,
      cause,
    })
  }
  // 10047, 10077, 10023: no room for the stream, for the account, on the disk.
  const full = [10047, 10077, 10023].includes(errorCode(cause) ?? 0)
  return new TransientError({
    dependency: "state",
    code: full ? "full" : cause instanceof NatsError && cause.code === "TIMEOUT" ? "timeout" : "unavailable",
    message: `the state bucket ${bucket} cannot be used: ${said}`,
    cause,
  })
}

const errorCode = (cause: unknown): number | undefined =>
  cause instanceof NatsError ? cause.api_error?.err_code : undefined
