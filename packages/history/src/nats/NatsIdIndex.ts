/**
 * An index of items by id, for rooms with more items than a search may read: the message `armoricore-history.<room>.id.<id>` in
 * the same stream has the `seq` of the item. It is published after its item, without an acknowledgement: an entry that is
 * lost costs a search. An entry of an item that is gone stays until its age or the size of the stream ends it.
 */
import { Effect } from "effect"
import type { NatsConnection as Client } from "nats"
import type { HistoryItem } from "../History.ts"
import { getMessage, type JetStreamHandles } from "./NatsHistoryRequests.ts"
import { indexEntryOf } from "./NatsHistoryStream.ts"

export const add = (client: Client, room: string, { id, seq }: Pick<HistoryItem, "id" | "seq">): Effect.Effect<void> =>
  Effect.try({ try: () => client.publish(indexEntryOf(room, id), String(seq)), catch: (cause) => cause }).pipe(
    Effect.catch((cause) => Effect.logDebug("an item is not in the index of ids: the connection is closed", cause)),
  )

/** `undefined`: the index does not have the id. */
export const find = (nats: JetStreamHandles, room: string, id: string) =>
  Effect.map(getMessage(nats, { last_by_subj: indexEntryOf(room, id) }), (found) =>
    found === undefined ? undefined : Number(found.string()),
  )
