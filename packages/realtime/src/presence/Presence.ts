/**
 * Presence as the official clients know it: `presence_state` to those who come, `presence_diff` to those who are there.
 * Changes are gathered for a moment, so that a room that fills up gets one diff with many joins and not a diff for each.
 *
 * A client keeps its picture by refs, so a diff may say what the client knows already. In a room of more than
 * `maxListed` users nobody is listed: its members get an empty state, and `presence_count` at most once a second.
 */
import { Clock, Context, Duration, Effect, FiberHandle, Layer, Schema, type Scope } from "effect"
import { Cluster } from "../cluster/Cluster.ts"
import { ownerOf } from "../cluster/Rendezvous.ts"
import * as Throttle from "../pubsub/Throttle.ts"
import { PublishBuffer } from "../pubsub/PublishBuffer.ts"
import type { StateSnapshot } from "../socket/OutgoingFrame.ts"
import { Topics } from "../pubsub/Topics.ts"
import * as PresenceReplication from "./PresenceReplication.ts"
import { type Entry, type Meta, PresenceSet } from "./PresenceSet.ts"

export type State = Readonly<Record<string, { readonly metas: ReadonlyArray<Meta> }>>

export interface Diff {
  readonly joins: State
  readonly leaves: State
}

/** One member of one topic, for as long as its scope. */
export interface PresenceHandle {
  readonly update: (status: Meta["status"]) => Effect.Effect<void>
}

export class Presence extends Context.Service<
  Presence,
  {
    /** Present from now until the scope closes. A user may be present several times. */
    readonly track: (
      topic: string,
      userId: string,
      status: Meta["status"],
    ) => Effect.Effect<PresenceHandle, never, Scope.Scope>
    /** What a `presence_state` says; empty in a room too large to be listed. */
    readonly state: (topic: string) => State
    /** Users of a room too large to be listed; `undefined` where they are. */
    readonly count: (topic: string) => number | undefined
  }
>()("@armoricore/realtime/Presence") {}

/** The part of a topic that hears about presence. */
export const subtopic = "presence"

export interface PresenceOptions {
  /** Default 1,000. */
  readonly maxListed?: number
  /** For how long changes are gathered. Default 50 ms. */
  readonly batchWindow?: Duration.Duration
}

export const layer = (options: PresenceOptions = {}): Layer.Layer<Presence, never, Cluster | Topics | PublishBuffer> =>
  Layer.effect(
    Presence,
    Effect.gen(function* () {
      const topics = yield* Topics
      const publishBuffer = yield* PublishBuffer
      const maxListed = options.maxListed ?? 1000
      const batchWindow = options.batchWindow ?? Duration.millis(50)
      const changes = new Map<string, { joins: Grouped; leaves: Grouped }>()
      /** Topics whose members get counts only. */
      const countOnlyTopics = new Set<string>()
      const flushFiber = yield* FiberHandle.make<void>()
      const cluster = yield* Cluster
      const set = new PresenceSet(cluster.node, (kind, entry) => {
        // All nodes know all rooms; only those with members here have somebody to tell. Who comes later is told the state,
        // in which what was gathered until now is settled: half of a coming and going must not follow upon it.
        if (topics.subscriberCount(entry.topic) === 0) return void changes.delete(entry.topic)
        const change = changes.get(entry.topic) ?? { joins: emptyGroup(), leaves: emptyGroup() }
        changes.set(entry.topic, change)
        group(kind === "join" ? change.joins : change.leaves, entry)
      })

      const counts = yield* Throttle.make((topic) =>
        Effect.sync(() => {
          const payload = () => ({ count: set.users(topic).size })
          deliver(payload(), "presence_count", { topic, event: "presence_count", payload })
        }),
      )

      /** A reader too slow for every change is told the latest, once it reads again. */
      const deliver = (payload: object, event: string, snapshot: StateSnapshot): void =>
        topics.deliver(snapshot.topic, event, payload, { subtopic, droppable: true, snapshot })

      const list = (topic: string): State => {
        const state: Record<string, { readonly metas: ReadonlyArray<Meta> }> = emptyGroup()
        for (const [key, metas] of set.users(topic)) state[key] = { metas }
        return state
      }

      const isCountOnly = (topic: string) => countOnlyTopics.has(topic) || set.users(topic).size > maxListed

      const stateOf = (topic: string): State => (isCountOnly(topic) ? {} : list(topic))

      const deliverDiff = (topic: string, diff: Diff): Effect.Effect<void> => {
        const { size } = set.users(topic)
        const snapshot: StateSnapshot = { topic, event: "presence_state", payload: () => stateOf(topic) }
        if (countOnlyTopics.has(topic) ? size > maxListed * relistFraction : size > maxListed) {
          if (!countOnlyTopics.has(topic)) deliver({}, "presence_state", snapshot)
          countOnlyTopics.add(topic)
          return counts.trigger(topic)
        }
        if (countOnlyTopics.delete(topic)) deliver(list(topic), "presence_state", snapshot)
        else deliver(diff, "presence_diff", snapshot)
        return Effect.void
      }

      const flush = Effect.gen(function* () {
        yield* Effect.sleep(batchWindow)
        const due = [...changes]
        changes.clear()
        yield* Effect.forEach(due, ([topic, diff]) => deliverDiff(topic, diff), { discard: true })
      })

      const scheduleFlush = Effect.suspend(() =>
        changes.size === 0 ? Effect.void : Effect.asVoid(FiberHandle.run(flushFiber, flush, { onlyIfMissing: true })),
      )

      /** Whether the user is in this room at all, through chat or presence. */
      const isInRoom = (roomId: string, userId: string) =>
        roomTopics.some((prefix) => set.users(prefix + roomId).has(userId))

      /** `occasion`: tells apart what is said of one presence more than once, since a cut took it away and gave it back. */
      const publish = Effect.fnUntraced(function* (
        { topic, key, meta }: Entry,
        status: Meta["status"],
        occasion: string = "",
      ) {
        const timestamp = new Date(yield* Clock.currentTimeMillis).toISOString()
        const payload = { user_id: key, room_id: roomOf(topic), status, timestamp }
        yield* publishBuffer.offer("presence.update", `${meta.phx_ref} ${status}${occasion}`, payload)
      })

      let occasions = 0
      const newOccasion = () => ` ${cluster.node} ${++occasions}`
      /** Nodes whose users this one said to be gone. They may have been cut off only, and come back. */
      const declaredDown = new Set<string>()
      const onNodeLost = (node: string, entries: ReadonlyArray<Entry>) => {
        // One of those who are left says that its users are gone.
        if (ownerOf(node, [cluster.node, ...cluster.otherNodes()]) !== cluster.node) return Effect.void
        declaredDown.add(node)
        const occasion = newOccasion()
        return Effect.forEach(
          entries.filter(({ topic, key }) => !isInRoom(roomOf(topic), key)),
          (entry) => publish(entry, "offline", occasion),
          { discard: true },
        )
      }
      const republishAll = Effect.suspend(() => {
        const occasion = newOccasion()
        const here = new Map(set.snapshot().entries.map((entry) => [`${roomOf(entry.topic)} ${entry.key}`, entry]))
        return Effect.forEach(here.values(), (entry) => publish(entry, entry.meta.status, occasion), { discard: true })
      })
      const run = Effect.runForkWith(yield* Effect.context<never>())
      yield* cluster.onNodeChange((change, node) => {
        if (change === "joined" && declaredDown.delete(node)) run(cluster.send(node, declaredDownKind, null))
      })
      yield* cluster.on(declaredDownKind, Schema.Null, () => void run(republishAll))
      const replication = yield* PresenceReplication.make(set, { batchWindow, onChange: scheduleFlush, onNodeLost })

      return {
        track: Effect.fnUntraced(function* (topic, userId, status) {
          const online_at = new Date(yield* Clock.currentTimeMillis).toISOString()
          let entry: Entry | undefined = undefined
          const arrive = Effect.gen(function* () {
            const first = !isInRoom(roomOf(topic), userId)
            const added = set.add(topic, userId, { status, online_at })
            entry = added.entry
            yield* replication.publish(added.delta)
            yield* scheduleFlush
            if (first) yield* publish(entry, status)
          })
          const depart = Effect.gen(function* () {
            if (entry === undefined) return
            yield* replication.publish(set.remove(entry))
            yield* scheduleFlush
            if (!isInRoom(roomOf(topic), userId)) yield* publish(entry, "offline")
          })
          yield* Effect.acquireRelease(arrive, () => depart)
          return {
            update: Effect.fnUntraced(function* (next) {
              if (entry === undefined || entry.meta.status === next) return
              const replaced = set.replace(entry, next)
              entry = replaced.entry
              yield* replication.publish(replaced.delta)
              yield* scheduleFlush
              yield* publish(entry, next)
            }),
          }
        }),
        state: stateOf,
        count: (topic) => (isCountOnly(topic) ? set.users(topic).size : undefined),
      }
    }),
  )

/** A room is listed again when it is this much smaller than the limit, so that one user more or less does not matter. */
const relistFraction = 0.8

/** To a node that came back: its users were said to be gone. */
const declaredDownKind = "presence.mourned"

const roomTopics = ["chat:room:", "presence:room:"]
const roomOf = (topic: string): string => topic.slice(topic.lastIndexOf(":") + 1)

type Grouped = Record<string, { metas: Array<Meta> }>

/** Without a prototype: `__proto__` and `constructor` are good user ids. */
const emptyGroup = (): Grouped => Object.create(null)

const group = (users: Grouped, { key, meta }: Entry): void => {
  const user = users[key]
  if (user === undefined) users[key] = { metas: [meta] }
  else user.metas.push(meta)
}
