/** Dead letters: list, inspect, replay as they were or mended, discard. */
import { DeadLetters, type DeadLetter as Letter } from "@armoricore/worker/DeadLetters"
import { Effect } from "effect"
import type { DeadLetter } from "../api/DeadLetter.ts"
import { traceIdOf } from "../JobStates.ts"
import { failing, limitOf } from "./Failing.ts"

const [usual, most] = [100, 1_000]

export const make = Effect.gen(function* () {
  const letters = yield* DeadLetters
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
      failing(Effect.map(letters.list({ ...filter, limit: limitOf(limit, usual, most) }), (found) => found.map(shown))),
    GetDeadLetter: ({ id }: { id: string }) =>
      failing(
        Effect.map(letters.get(id), (letter) => ({
          ...shown(letter),
          body: new TextDecoder().decode(letter.body),
          bytes: letter.body.byteLength,
        })),
      ),
    ReplayDeadLetter: ({ body, id }: { id: string; body?: string }) =>
      failing(letters.replay(id, body === undefined ? undefined : new TextEncoder().encode(body))),
    DiscardDeadLetter: ({ id }: { id: string }) => failing(letters.discard(id)),
  }
})

/** The trace may stand in the envelope alone. */
const inEnvelope = (body: Uint8Array): string | undefined =>
  /"traceparent"\s*:\s*"([0-9a-f-]{55})"/.exec(new TextDecoder().decode(body))?.[1]

const shown = ({ body, id, info }: Letter): DeadLetter => {
  const { message_id: _message, subject: _subject, traceparent, ...told } = info
  const trace = traceIdOf(traceparent ?? inEnvelope(body))
  return { id, ...told, ...(trace === undefined ? {} : { trace_id: trace }) }
}
