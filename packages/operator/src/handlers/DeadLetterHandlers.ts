/** Dead letters: list, show, replay unchanged or edited, discard. */
import { DeadLetters, type DeadLetter as Letter } from "@armoricore/worker/dead-letters/DeadLetters"
import { Effect } from "effect"
import type { DeadLetter } from "../api/DeadLetter.ts"
import { traceIdOf } from "@armoricore/worker/TraceContext"
import { mapErrors, clampLimit } from "./Errors.ts"

const [defaultLimit, maxLimit] = [100, 1_000]

export const make = Effect.gen(function* () {
  const deadLetters = yield* DeadLetters
  return {
    ListDeadLetters: ({
      limit,
      ...filter
    }: {
      service?: string
      type?: string
      reason?: string
      after?: string
      limit?: number
    }) =>
      mapErrors(
        Effect.map(deadLetters.list({ ...filter, limit: clampLimit(limit, defaultLimit, maxLimit) }), (found) =>
          found.map(toApi),
        ),
      ),
    GetDeadLetter: ({ id }: { id: string }) =>
      mapErrors(
        Effect.map(deadLetters.get(id), (deadLetter) => ({
          ...toApi(deadLetter),
          body: new TextDecoder().decode(deadLetter.body),
          bytes: deadLetter.body.byteLength,
        })),
      ),
    ReplayDeadLetter: ({ body, id }: { id: string; body?: string }) =>
      mapErrors(deadLetters.replay(id, body === undefined ? undefined : new TextEncoder().encode(body))),
    DiscardDeadLetter: ({ id }: { id: string }) => mapErrors(deadLetters.discard(id)),
  }
})

/** The trace may stand in the envelope alone. */
const envelopeTraceparent = (body: Uint8Array): string | undefined =>
  /"traceparent"\s*:\s*"([0-9a-f-]{55})"/.exec(new TextDecoder().decode(body))?.[1]

const toApi = ({ body, id, record }: Letter): DeadLetter => {
  const { message_id: _message, subject: _subject, traceparent, ...fields } = record
  const trace = traceIdOf(traceparent ?? envelopeTraceparent(body))
  return { id, ...fields, ...(trace === undefined ? {} : { trace_id: trace }) }
}
