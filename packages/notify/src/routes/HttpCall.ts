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
  "CERT_HAS_EXPIRED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
])

const fault = (dependency: string, cause: unknown): TransientError | OutcomeUnknown => {
  const code = codeOf(cause)
  const message = `${dependency} did not answer: ${code}`
  return notSent.has(code)
    ? new TransientError({ dependency, code: "unavailable", message, cause })
    : new OutcomeUnknown({ message })
}

/** fetch hides the system's code one level down, and behind an AggregateError where it tried several addresses. */
const codeOf = (error: unknown): string => {
  if (typeof error !== "object" || error === null) return String(error)
  if ("code" in error && typeof error.code === "string") return error.code
  if ("cause" in error && error.cause !== undefined) return codeOf(error.cause)
  if ("errors" in error && Array.isArray(error.errors)) return codeOf(error.errors[0])
  return error instanceof Error ? error.message : "an unknown fault"
}

/** `Retry-After` as seconds or as an HTTP date; undefined where there is none. */
export const retryAfter = (headers: Headers, name = "retry-after"): Effect.Effect<number | undefined> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const text = headers.get(name)?.trim()
    if (text === undefined || text === "") return undefined
    if (/^[0-9]+(\.[0-9]+)?$/.test(text)) return Math.round(Number(text) * 1000)
    const at = Date.parse(text)
    return Number.isNaN(at) ? undefined : Math.max(0, at - now)
  })

/** A provider's answer as JSON, `undefined` where it is none. */
export const json = (text: string): Effect.Effect<unknown> =>
  Effect.orElseSucceed(
    Effect.try((): unknown => JSON.parse(text)),
    () => undefined,
  )
