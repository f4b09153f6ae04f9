/** What the purges of all CDNs have in common: URLs in requests of a limited size, and the meaning of responses. */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Duration, Effect } from "effect"
import { HttpClient, type HttpClientRequest } from "effect/http"
import { encodeKey } from "../PlaybackUrls.ts"

/** Bytes of URLs in a request; Akamai's limit for the whole body is 50 KB. */
const maxBatchBytes = 45_000

/** The public URLs of the keys, in batches. */
export const batchesOf = (baseUrl: string, keys: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> => {
  const base = baseUrl.replace(/\/+$/, "")
  const batches: Array<Array<string>> = []
  let bytes = Number.POSITIVE_INFINITY
  for (const key of keys) {
    const url = `${base}/${encodeKey(key)}`
    // Quotes and comma.
    bytes += url.length + 3
    if (bytes > maxBatchBytes) {
      batches.push([])
      bytes = url.length + 3
    }
    batches.at(-1)?.push(url)
  }
  return batches
}

const timeout = Duration.seconds(30)

/** Succeeds with a status of 2xx. `setting` is named if the receiver refuses the credentials or the URLs. */
export const send = Effect.fnUntraced(function* (request: HttpClientRequest.HttpClientRequest, setting: string) {
  const client = yield* HttpClient.HttpClient
  const { headers, status } = yield* client.execute(request).pipe(
    Effect.mapError((cause) => failure("unavailable", `it is not reachable: ${cause.message}`)),
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail(failure("timeout", `it did not respond within ${Duration.format(timeout)}`)),
    }),
    Effect.scoped,
  )
  if (status >= 200 && status < 300) return
  if (status >= 300 && status < 500 && status !== 408 && status !== 429) {
    return yield* new ConfigurationError({
      setting,
      message: `the purge of the CDN was refused with status ${status}; check ${setting} and what its credentials may purge`,
    })
  }
  const seconds = Number(headers["retry-after"])
  return yield* failure(
    status === 429 ? "throttled" : `status_${status}`,
    `it responded with status ${status}`,
    seconds > 0 ? Math.min(seconds, 3600) * 1000 : undefined,
  )
})

/** Until the next request to a CDN that does not name a time itself. */
const pause = Duration.seconds(30)

/** A deletion waits for the CDN however long it is away: what was published must not stay in its caches. */
const failure = (code: string, reason: string, retryAfterMillis = Duration.toMillis(pause)) =>
  new TransientError({
    dependency: "cdn",
    code,
    message: `the CDN did not purge deleted objects: ${reason}`,
    countsAsAttempt: false,
    retryAfterMillis,
  })
