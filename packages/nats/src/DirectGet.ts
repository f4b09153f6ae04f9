/**
 * Reads single messages of a stream without a consumer, by JetStream's Direct Get API. The `nats` client has no typed
 * method for it, so the request is built here.
 */
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
      /** With it: the first message with a matching subject at or after `seq`. */
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
      // The server appends its own headers after the publisher's, which may have the same names: the last value is the
      // server's.
      const own = (name: string) => headers?.last(name) ?? ""
      // A response without `Nats-Sequence` is a status: no such message.
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
