/** Reads single messages of a stream without a consumer (the stream allows direct gets; the client's types hide them). */
import { Effect } from "effect"
import type { NatsConnection as Client } from "nats"
import type { Stored } from "../EventBus.ts"
import { attemptOn, type NatsFailure } from "./NatsErrors.ts"
import * as NatsMessage from "./NatsMessage.ts"

export interface Found {
  readonly sequence: number
  readonly stored: Stored
}

export type Query =
  | {
      readonly seq: number
      /** Then the first message of such a subject at or behind `seq`. */
      readonly next_by_subj?: string
    }
  /** The last message of a subject. */
  | { readonly last_by_subj: string }

const timeout = 5_000

export const get = (client: Client, stream: string, query: Query): Effect.Effect<Found | undefined, NatsFailure> =>
  attemptOn(`stream ${stream}`, () =>
    client.request(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify(query), { timeout }),
  ).pipe(
    Effect.map((message) => {
      const { headers, data } = message
      // A status instead of a message: there is none.
      if (headers === undefined || headers.code > 0) return undefined
      const arrivedAt = new Date(headers.get("Nats-Time-Stamp")).getTime()
      return {
        sequence: Number(headers.get("Nats-Sequence")),
        stored: NatsMessage.stored({ subject: headers.get("Nats-Subject"), headers, data }, arrivedAt),
      }
    }),
  )
