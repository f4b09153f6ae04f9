/** A client of the running program, over HTTP alone. */
import { Effect, Schedule } from "effect"

export interface ApiResponse {
  readonly status: number
  readonly json: unknown
}

export const request = (url: string, init: RequestInit = {}): Effect.Effect<ApiResponse, Error> =>
  Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(url, { ...init, signal })
      const text = await response.text()
      return { status: response.status, json: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text }
    },
    catch: (cause) => (cause instanceof Error ? cause : new Error(String(cause))),
  })

/** Asks again until the answer is as wanted. */
export const until = <A, E>(ask: Effect.Effect<A, E>, wanted: (answer: A) => boolean): Effect.Effect<A, Error> =>
  ask.pipe(
    Effect.mapError((error) => new Error(String(error))),
    Effect.filterOrFail(wanted, (answer) => new Error(`not yet: ${JSON.stringify(answer)}`)),
    Effect.retry(Schedule.spaced("100 millis").pipe(Schedule.upTo({ duration: "60 seconds" }))),
  )
