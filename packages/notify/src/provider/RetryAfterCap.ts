/** How long a failure may have its message wait, whatever a provider asks for. */
import { TransientError } from "@armoricore/domain/Errors"

/** The same failure; its next try is no later than that. */
export const capRetryAfter = <E extends { readonly _tag: string }>(
  error: E | TransientError,
  maxMillis: number,
): E | TransientError => {
  if (!(error instanceof TransientError)) return error
  const { code, countsAsAttempt, dependency, message, retryAfterMillis } = error
  if (retryAfterMillis === undefined || retryAfterMillis <= maxMillis) return error
  const more = countsAsAttempt === undefined ? {} : { countsAsAttempt }
  return new TransientError({ dependency, code, message, retryAfterMillis: maxMillis, ...more })
}
