/**
 * The presence entries of all nodes as a replicated set (a delta-state CRDT).
 *
 * Only a node itself adds and removes its own entries, so each node's part is a sequence of versions, and a replica merges
 * by taking the higher version; lost, repeated and late messages do no harm. A delta leads from one version to a later one
 * and applies only to a replica at exactly the first; any other replica knows it already or has a gap, which the node's
 * snapshot closes. A ref contains its node's name and is never reused; a node that restarts has another name.
 *
 * No clock, no I/O, no Effect.
 */
import type { PresenceStatus } from "@armoricore/domain/events/realtime"

/** One presence of a user (a user may have several tabs); Phoenix calls it a meta. */
export interface Meta {
  readonly phx_ref: string
  /** The ref that this one replaces. */
  readonly phx_ref_prev?: string
  readonly status: typeof PresenceStatus.Type
  /** RFC 3339. */
  readonly online_at: string
}

export interface Entry {
  readonly topic: string
  readonly key: string
  readonly meta: Meta
}

/** The changes of a node between two of its versions. */
export interface Delta {
  readonly node: string
  readonly from: number
  readonly to: number
  readonly joins: ReadonlyArray<Entry>
  readonly leaves: ReadonlyArray<Entry>
}

/** All entries of a node at one version. */
export interface Snapshot {
  readonly node: string
  readonly version: number
  readonly entries: ReadonlyArray<Entry>
}

/** Called for each entry that was added to or removed from this replica. */
export type OnChange = (kind: "join" | "leave", entry: Entry) => void

type Users = Map<string, ReadonlyArray<Meta>>

const noUsers: ReadonlyMap<string, ReadonlyArray<Meta>> = new Map()

export class PresenceSet {
  readonly node: string
  readonly #onChange: OnChange
  readonly #topics = new Map<string, Users>()
  /** The versions of all nodes, this one included. */
  readonly #versions = new Map<string, number>()
  #refs = 0

  constructor(node: string, onChange: OnChange = () => {}) {
    this.node = node
    this.#onChange = onChange
    this.#versions.set(node, 0)
  }

  add(topic: string, key: string, fields: Omit<Meta, "phx_ref">): { readonly entry: Entry; readonly delta: Delta } {
    const entry = { topic, key, meta: { phx_ref: this.#nextRef(), ...fields } }
    return { entry, delta: this.#recordLocal([entry], []) }
  }

  remove(entry: Entry): Delta {
    return this.#recordLocal([], [entry])
  }

  /** A leave and a join in one step, so the user is never absent in between. */
  replace(entry: Entry, status: Meta["status"]): { readonly entry: Entry; readonly delta: Delta } {
    const { phx_ref: previous, online_at } = entry.meta
    const meta = { phx_ref: this.#nextRef(), phx_ref_prev: previous, status, online_at }
    const next = { topic: entry.topic, key: entry.key, meta }
    return { entry: next, delta: this.#recordLocal([next], [entry]) }
  }

  /** Applies another node's delta. `gap`: an earlier delta is missing; the caller must fetch the node's snapshot. */
  merge({ node, from, to, joins, leaves }: Delta): "merged" | "known" | "gap" {
    const version = this.#versions.get(node) ?? 0
    if (node === this.node || to <= version) return "known"
    if (from !== version) return "gap"
    this.#versions.set(node, to)
    for (const entry of joins) this.#join(entry)
    for (const entry of leaves) this.#leave(entry)
    return "merged"
  }

  /** Applies another node's snapshot. */
  restore({ node, version, entries }: Snapshot): "merged" | "known" {
    if (node === this.node || version <= (this.#versions.get(node) ?? 0)) return "known"
    this.#versions.set(node, version)
    const refs = new Set(entries.map(({ meta }) => meta.phx_ref))
    for (const entry of entries) this.#join(entry)
    for (const entry of this.#entriesOf(node)) if (!refs.has(entry.meta.phx_ref)) this.#leave(entry)
    return "merged"
  }

  /** Removes a node that is gone and returns its entries. If it comes back, its next delta has a gap, so its snapshot is fetched. */
  drop(node: string): ReadonlyArray<Entry> {
    if (node === this.node) return []
    const entries = this.#entriesOf(node)
    this.#versions.delete(node)
    for (const entry of entries) this.#leave(entry)
    return entries
  }

  /** This node's entries, for the other nodes. */
  snapshot(): Snapshot {
    return { node: this.node, version: this.versionOf(this.node), entries: this.#entriesOf(this.node) }
  }

  versionOf(node: string): number {
    return this.#versions.get(node) ?? 0
  }

  users(topic: string): ReadonlyMap<string, ReadonlyArray<Meta>> {
    return this.#topics.get(topic) ?? noUsers
  }

  #nextRef(): string {
    return `${this.node}.${(++this.#refs).toString(36)}`
  }

  #recordLocal(joins: ReadonlyArray<Entry>, leaves: ReadonlyArray<Entry>): Delta {
    const from = this.versionOf(this.node)
    this.#versions.set(this.node, from + 1)
    for (const entry of joins) this.#join(entry)
    for (const entry of leaves) this.#leave(entry)
    return { node: this.node, from, to: from + 1, joins, leaves }
  }

  #join(entry: Entry): void {
    const users: Users = this.#topics.get(entry.topic) ?? new Map()
    this.#topics.set(entry.topic, users)
    const metas = users.get(entry.key) ?? []
    if (metas.some(({ phx_ref }) => phx_ref === entry.meta.phx_ref)) return
    users.set(entry.key, [...metas, entry.meta])
    this.#onChange("join", entry)
  }

  #leave(entry: Entry): void {
    const users = this.#topics.get(entry.topic)
    const metas = users?.get(entry.key) ?? []
    const left = metas.filter(({ phx_ref }) => phx_ref !== entry.meta.phx_ref)
    if (users === undefined || left.length === metas.length) return
    if (left.length > 0) users.set(entry.key, left)
    else users.delete(entry.key)
    if (users.size === 0) this.#topics.delete(entry.topic)
    this.#onChange("leave", entry)
  }

  #entriesOf(node: string): ReadonlyArray<Entry> {
    const entries: Array<Entry> = []
    for (const [topic, users] of this.#topics) {
      for (const [key, metas] of users) {
        for (const meta of metas) if (nodeOf(meta.phx_ref) === node) entries.push({ topic, key, meta })
      }
    }
    return entries
  }
}

/** Combines consecutive deltas of one node into one; `undefined` if the list is empty. */
export const combine = (deltas: ReadonlyArray<Delta>): Delta | undefined => {
  const [first] = deltas
  const last = deltas.at(-1)
  if (first === undefined || last === undefined || first === last) return first
  const joins = new Map<string, Entry>()
  const leaves: Array<Entry> = []
  for (const delta of deltas) {
    for (const entry of delta.joins) joins.set(entry.meta.phx_ref, entry)
    // An entry that was added and removed in between is unknown to the other nodes.
    for (const entry of delta.leaves) if (!joins.delete(entry.meta.phx_ref)) leaves.push(entry)
  }
  return { node: first.node, from: first.from, to: last.to, joins: [...joins.values()], leaves }
}

const nodeOf = (ref: string): string => ref.slice(0, ref.lastIndexOf("."))
