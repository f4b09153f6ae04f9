/**
 * Removes a user from the decisions of the ledger, which hold the exact results of handled messages for 30 days. The record
 * stays, so that a redelivery of its message is not handled again; it then publishes nothing.
 */
import { KeyValue } from "@armoricore/state/KeyValue"
import { Effect, Option, Schema } from "effect"
import { ledgerBucket } from "../ledger/Ledger.ts"
import { messageOf } from "./BusErasure.ts"
import type { ErasureStore } from "./ErasureStore.ts"

const pageSize = 200
const encoder = new TextEncoder()

/** The other fields of a record stay as they are. */
const Decided = Schema.StructWithRest(
  Schema.Struct({
    status: Schema.Literal("decided"),
    decision: Schema.StructWithRest(
      Schema.Struct({
        outbound: Schema.Array(
          Schema.StructWithRest(Schema.Struct({ body: Schema.String }), [Schema.Record(Schema.String, Schema.Unknown)]),
        ),
      }),
      [Schema.Record(Schema.String, Schema.Unknown)],
    ),
  }),
  [Schema.Record(Schema.String, Schema.Unknown)],
)
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Decided))

export const makeStore = Effect.map(KeyValue, (state): ErasureStore => ({
  name: "decisions",
  erase: Effect.fn("DecisionErasure.erase")(function* ({ userId }) {
    const isOfUser = messageOf(userId)
    let removed = 0
    for (let after: string | undefined; ;) {
      const page = yield* state.list(ledgerBucket, { limit: pageSize, ...(after === undefined ? {} : { after }) })
      for (const { key, revision, value } of page) {
        const record = Option.getOrUndefined(decode(value))
        if (record === undefined) continue
        const { outbound } = record.decision
        const others = outbound.filter(({ body }) => !isOfUser(encoder.encode(body)))
        if (others.length === outbound.length) continue
        const next = JSON.stringify({ ...record, decision: { ...record.decision, outbound: others } })
        // A record that changed meanwhile is read again by the next pass.
        yield* Effect.catchTag(state.update(ledgerBucket, key, next, revision), "Conflict", () => Effect.void)
        removed++
      }
      after = page.at(-1)?.key
      if (page.length < pageSize) return removed
    }
  }),
}))
