/** Reads single messages of a stream without a consumer (the stream allows direct gets; the client's types hide them). */
import { Effect } from "effect"
import type { NatsConnection as Client } from "nats"
import { streamRequest, type NatsRequestError } from "./NatsErrors.ts"
import * as NatsMessage from "./NatsMessage.ts"

export interface DirectMessage {
  readonly sequence: number
  readonly stored: NatsMessage.StoredMessage
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

export const get = (
  client: Client,
  stream: string,
  query: Query,
): Effect.Effect<DirectMessage | undefined, NatsRequestError> =>
  streamRequest(`stream ${stream}`, () =>
    client.request(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify(query), { timeout }),
  ).pipe(
    Effect.map((message) => {
      const { headers, data } = message
      // The server writes its own behind those of the publisher, who may have written the same, or a code.
      const own = (name: string) => headers?.last(name) ?? ""
      // A status instead of a message: there is none.
      if (own("Nats-Sequence") === "") return undefined
      const arrivedAt = new Date(own("Nats-Time-Stamp")).getTime()
      return {
        sequence: Number(own("Nats-Sequence")),
        stored: NatsMessage.stored(
          { subject: own("Nats-Subject"), data, ...(headers === undefined ? {} : { headers }) },
          arrivedAt,
        ),
      }
    }),
  )
