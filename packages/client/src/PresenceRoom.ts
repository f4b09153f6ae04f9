/** Who is in a room, from `presence:room:{room_id}`; joining makes this user present. */
import { type Present, type PresentUser, trackPresence } from "./PresenceList.ts"
import { type Store, WritableStore } from "./Store.ts"
import { channel, type ErrorReply, isErrorReply, type SocketLike } from "./TypedChannel.ts"

export type PresenceStatus = "online" | "offline" | "away"

export interface PresenceState {
  readonly users: ReadonlyArray<PresentUser>
  readonly count: number
  /** Of a refused join. */
  readonly error?: ErrorReply | undefined
}

export interface PresenceRoom extends Store<PresenceState> {
  readonly setStatus: (status: PresenceStatus) => Promise<void>
  readonly leave: () => Promise<void>
}

export const openPresence = (
  socket: SocketLike,
  roomId: string,
  { status = "online" }: { readonly status?: PresenceStatus } = {},
): PresenceRoom => {
  const store = new WritableStore<PresenceState>({ users: [], count: 0 })
  const typed = channel(socket, `presence:room:${roomId}`, { status })
  trackPresence(typed.raw, (present: Present) => store.update({ ...present, error: undefined }))
  typed.join().catch((error: unknown) => {
    if (!isErrorReply(error)) return
    store.update({ error })
    if (error.reason === "unauthorized") void typed.leave()
  })
  return {
    state: store.state,
    subscribe: store.subscribe,
    setStatus: async (next) => {
      await typed.push("update_status", { status: next })
    },
    leave: typed.leave,
  }
}
