/** The users who are present on a topic, from `presence_state`, `presence_diff` and `presence_count`. */
import type { ChannelLike } from "./TypedChannel.ts"

export interface PresentUser {
  readonly user_id: string
  /** Of the user's latest join: `online` or `away`. */
  readonly status: string
  /** RFC 3339, of the user's first join that is still present. */
  readonly online_at: string
}

export interface Present {
  /** Sorted by user id; empty in a room with more users than the server lists. */
  readonly users: ReadonlyArray<PresentUser>
  readonly count: number
}

interface Meta {
  readonly phx_ref: string
  readonly status: string
  readonly online_at: string
}

const metasOf = (value: unknown): ReadonlyArray<readonly [user: string, metas: ReadonlyArray<Meta>]> =>
  Object.entries((value ?? {}) as Readonly<Record<string, { readonly metas: ReadonlyArray<Meta> }>>).map(
    ([user, { metas }]) => [user, metas],
  )

/** Calls `onChange` after each change. */
export const trackPresence = (channel: ChannelLike, onChange: (present: Present) => void): void => {
  const users = new Map<string, ReadonlyArray<Meta>>()
  let counted: number | undefined

  const add = (value: unknown): void => {
    for (const [user, metas] of metasOf(value)) {
      const refs = new Set(metas.map(({ phx_ref }) => phx_ref))
      users.set(user, [...(users.get(user) ?? []).filter(({ phx_ref }) => !refs.has(phx_ref)), ...metas])
    }
  }
  const remove = (value: unknown): void => {
    for (const [user, metas] of metasOf(value)) {
      const refs = new Set(metas.map(({ phx_ref }) => phx_ref))
      const left = (users.get(user) ?? []).filter(({ phx_ref }) => !refs.has(phx_ref))
      if (left.length === 0) users.delete(user)
      else users.set(user, left)
    }
  }
  const emit = (): void => {
    const list = Array.from(users, ([user_id, metas]) => ({
      user_id,
      status: metas.at(-1)?.status ?? "online",
      online_at: metas[0]?.online_at ?? "",
    }))
    list.sort((a, b) => (a.user_id < b.user_id ? -1 : 1))
    onChange({ users: list, count: counted ?? list.length })
  }

  channel.on("presence_state", (state) => {
    users.clear()
    counted = undefined
    add(state)
    emit()
  })
  channel.on("presence_diff", (diff) => {
    // The leave of a changed meta comes with its join, so the user stays in its place.
    add(diff["joins"])
    remove(diff["leaves"])
    emit()
  })
  channel.on("presence_count", ({ count }) => {
    counted = Number(count)
    emit()
  })
}
