/**
 * One channel for every user of a topic on a socket: a second join of a topic would end the first. The channel is left once
 * no one uses it for a moment, so that a component which is mounted again finds it joined.
 */
import type { SocketLike } from "./TypedChannel.ts"

interface Entry<A> {
  readonly value: A
  users: number
  timer?: ReturnType<typeof setTimeout>
}

/** In milliseconds. */
const leaveDelay = 300

export interface Shared<A> {
  /** Opens the value for the first user of the key. `release` may be called once for each call. */
  readonly acquire: (
    socket: SocketLike,
    key: string,
    open: () => A,
  ) => { readonly value: A; readonly release: () => void }
}

export const shared = <A>(close: (value: A) => void): Shared<A> => {
  const sockets = new WeakMap<SocketLike, Map<string, Entry<A>>>()
  return {
    acquire: (socket, key, open) => {
      const entries = sockets.get(socket) ?? new Map<string, Entry<A>>()
      sockets.set(socket, entries)
      const entry: Entry<A> = entries.get(key) ?? { value: open(), users: 0 }
      entries.set(key, entry)
      entry.users++
      clearTimeout(entry.timer)
      return {
        value: entry.value,
        release: () => {
          entry.users--
          if (entry.users > 0) return
          entry.timer = setTimeout(() => {
            if (entries.get(key) === entry) entries.delete(key)
            close(entry.value)
          }, leaveDelay)
        },
      }
    },
  }
}
