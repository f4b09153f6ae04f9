/** Sockets and rooms: list, kick, ban. */
import { Operator } from "@armoricore/realtime/Operator"
import { Effect } from "effect"
import { NotDone } from "../api/Failures.ts"
import { failing, limitOf } from "./Failing.ts"

const [usual, most] = [100, 1_000]

export const make = Effect.gen(function* () {
  const operator = yield* Operator
  return {
    ListRooms: ({ limit, prefix }: { prefix?: string; limit?: number }) =>
      Effect.map(
        operator.rooms({ limit: limitOf(limit, usual, most), ...(prefix === undefined ? {} : { prefix }) }),
        ({ items, silent, truncated }) => ({ rooms: items, silent, truncated }),
      ),
    ListSockets: ({ limit, topic, user_id }: { user_id?: string; topic?: string; limit?: number }) =>
      Effect.map(
        operator.sockets({
          limit: limitOf(limit, usual, most),
          ...(topic === undefined ? {} : { topic }),
          ...(user_id === undefined ? {} : { userId: user_id }),
        }),
        ({ items, silent, truncated }) => ({
          silent,
          truncated,
          sockets: items.map(({ address, connectedAt, node, socketId, topics, userId }) => ({
            socket_id: socketId,
            user_id: userId,
            address,
            node,
            topics,
            connected_at: connectedAt,
          })),
        }),
      ),
    Kick: ({
      reason,
      socket_id,
      topic,
      user_id,
    }: {
      reason: string
      user_id?: string
      socket_id?: string
      topic?: string
    }) => {
      const target =
        user_id !== undefined ? { userId: user_id } : socket_id !== undefined ? { socketId: socket_id } : undefined
      return target === undefined
        ? Effect.fail(new NotDone({ code: "invalid", path: "user_id", message: "name a user or a socket to kick" }))
        : operator.kick(target, { reason, ...(topic === undefined ? {} : { topic }) })
    },
    /** The sockets of the user end with the tokens; those are told the reason first. */
    Ban: ({ reason, user_id }: { user_id: string; reason: string }) =>
      failing(
        Effect.gen(function* () {
          const open = yield* operator.sockets({ userId: user_id })
          yield* operator.ban({ userId: user_id })
          // What revocation closed is gone; this is for who came in between.
          const late = yield* operator.kick({ userId: user_id }, { reason })
          return { kicked: open.items.length, silent: late.silent }
        }),
      ),
  }
})
