/**
 * One HTTP call of a provider, with the distinction that matters for sending: a request that never left may be sent
 * again; one that left and got no answer has an unknown outcome.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { Clock, Effect } from "effect"
import { OutcomeUnknown } from "../Route.ts"

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export interface Call {
  readonly method: "POST"
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** `dependency` names the provider in errors. Redirects are not followed: credentials stay with the host they are for. */
export const call = (
  dependency: string,
  url: string,
  { body, headers, method }: Call,
): Effect.Effect<Answer, TransientError | OutcomeUnknown> =>
  Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(url, { method, headers, body, signal, redirect: "manual" })
      return { status: response.status, headers: response.headers, text: await response.text() }
    },
    catch: (cause) => fault(dependency, cause),
  })

const notSent: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
])

/** Node's words for a certificate that does not verify: its chain, its dates or its names. */
export const isUntrusted = (code: string): boolean =>
  /^(CERT_|ERR_TLS_CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF))/.test(code)

/** Whether a call that ended with such a code of the system never left this machine. */
export const neverLeft = (code: string): boolean => notSent.has(code) || isUntrusted(code)

const fault = (dependency: string, cause: unknown): TransientError | OutcomeUnknown => {
  const code = codeOf(cause)
  const message = `${dependency} did not answer: ${code}`
  return neverLeft(code)
    ? new TransientError({ dependency, code: "unavailable", message, cause })
    : new OutcomeUnknown({ message })
}

/** fetch hides the system's code one level down, and behind an AggregateError where it tried several addresses. */
export const codeOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return String(error)
  if ("code" in error && typeof error.code === "string") return error.code
  if ("cause" in error && error.cause !== undefined) return codeOf(error.cause)
  if ("errors" in error && Array.isArray(error.errors)) return codeOf(error.errors[0])
  return error instanceof Error ? error.message : "an unknown fault"
}

/** A year. Longer waits are a provider's mistake, and so many digits are no finite number. */
const longestMillis = 365 * 86_400_000

/** `Retry-After` as seconds or as an HTTP date; undefined where there is none. */
export const retryAfter = (headers: Headers, name = "retry-after"): Effect.Effect<number | undefined> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const text = headers.get(name)?.trim()
    if (text === undefined || text === "") return undefined
    const wait = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Math.round(Number(text) * 1000) : Date.parse(text) - now
    return Number.isNaN(wait) ? undefined : Math.min(longestMillis, Math.max(0, wait))
  })

/** A provider's answer as JSON, `undefined` where it is none. */
export const json = (text: string): Effect.Effect<unknown> =>
  Effect.orElseSucceed(
    Effect.try((): unknown => JSON.parse(text)),
    () => undefined,
  )
