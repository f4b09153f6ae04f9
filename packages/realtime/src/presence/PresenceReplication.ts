/**
 * How nodes keep each other's presence: what changed is gathered for a moment and told as one delta; every heartbeat says
 * the version; who sees that it missed something asks that node for all it has. A node that leaves or is lost is forgotten
 * with its users.
 *
 * One message goes out for whatever changed within the moment, however large the rooms are, and each node takes it once.
 */
import { PresenceStatus } from "@armoricore/domain/events/realtime"
import { type Duration, Effect, FiberSet, Schedule, Schema } from "effect"
import { Cluster, allNodes } from "../cluster/Cluster.ts"
import { combine, type Delta, type Entry, type PresenceSet, type Snapshot } from "./PresenceSet.ts"

const Meta = Schema.Struct({
  phx_ref: Schema.String,
  phx_ref_prev: Schema.optionalKey(Schema.String),
  status: PresenceStatus,
  online_at: Schema.String,
})
const Entries = Schema.Array(Schema.Struct({ topic: Schema.String, key: Schema.String, meta: Meta }))
const DeltaMessage = Schema.Struct({
  node: Schema.String,
  from: Schema.Int,
  to: Schema.Int,
  joins: Entries,
  leaves: Entries,
})
const SnapshotMessage = Schema.Struct({ node: Schema.String, version: Schema.Int, entries: Entries })
const Version = Schema.Int

const kinds = { delta: "presence.delta", snapshot: "presence.snapshot" } as const

export interface PresenceReplication {
  /** This node did this: the others shall know. */
  readonly publish: (delta: Delta) => Effect.Effect<void>
}

/** Deltas that wait behind a snapshot that is on its way. */
const maxPendingDeltas = 1000

export const make = Effect.fnUntraced(function* (
  set: PresenceSet,
  options: {
    readonly batchWindow: Duration.Duration
    /** The set has changed. */
    readonly onChange: Effect.Effect<void>
    /** A node is lost, and these were its entries. */
    readonly onNodeLost: (node: string, entries: ReadonlyArray<Entry>) => Effect.Effect<void>
  },
) {
  const cluster = yield* Cluster
  if (!cluster.isClustered) return { publish: () => Effect.void } satisfies PresenceReplication
  const fibers = yield* FiberSet.make<void>()
  const fork = yield* FiberSet.runtime(fibers)()
  const run = Effect.runForkWith(yield* Effect.context<never>())
  /** Of nodes whose snapshot is on its way. */
  const pendingDeltas = new Map<string, Array<Delta>>()
  let outgoing: Array<Delta> = []

  /** All that was gathered, as one. */
  const takeOutgoing = (): Delta | undefined => {
    const delta = combine(outgoing)
    outgoing = []
    return delta
  }
  const send = (delta: Delta | undefined): Effect.Effect<void> =>
    delta === undefined ? Effect.void : cluster.send(allNodes, kinds.delta, delta)
  const flush = Effect.andThen(
    Effect.sleep(options.batchWindow),
    Effect.suspend(() => send(takeOutgoing())),
  )

  /** Whether it has all that the node said until now. */
  const restore = (node: string, snapshot: Snapshot): boolean => {
    set.restore(snapshot)
    const later = pendingDeltas.get(node) ?? []
    const missing = later.findIndex((delta) => set.merge(delta) === "gap")
    pendingDeltas.set(node, missing === -1 ? [] : later.slice(missing))
    return missing === -1
  }

  const fetchSnapshot = (node: string) =>
    Effect.gen(function* () {
      const snapshot = yield* cluster.request(node, kinds.snapshot, null, SnapshotMessage)
      if (snapshot === undefined || snapshot.node !== node) return yield* Effect.fail("no answer")
      // It may have gone while it answered; its users went with it.
      if (!cluster.otherNodes().includes(node)) return
      const isWhole = restore(node, snapshot)
      yield* options.onChange
      if (!isWhole) return yield* Effect.fail("more was missed meanwhile")
    }).pipe(
      // The next heartbeat shows again that something is missing.
      Effect.retry({ schedule: Schedule.spaced("1 second"), times: 3 }),
      Effect.ignore,
      Effect.ensuring(Effect.sync(() => pendingDeltas.delete(node))),
    )

  /** What comes meanwhile waits; asking again would only begin anew. */
  const requestSnapshot = (node: string): void => {
    if (pendingDeltas.has(node)) return
    pendingDeltas.set(node, [])
    fork(fetchSnapshot(node))
  }

  const merge = (delta: Delta): void => {
    if (set.merge(delta) !== "gap") return
    requestSnapshot(delta.node)
    const later = pendingDeltas.get(delta.node)
    if (later !== undefined && later.length < maxPendingDeltas) later.push(delta)
  }

  yield* cluster.on(kinds.delta, DeltaMessage, ({ from, value }) => {
    if (value.node !== from) return
    merge(value)
    run(options.onChange)
  })
  yield* cluster.on(kinds.snapshot, Schema.Unknown, ({ reply }) => {
    // What is gathered is in the snapshot: told later, in one delta with what follows, it would fit nobody who has that.
    run(send(takeOutgoing()))
    reply(set.snapshot())
  })
  yield* cluster.onHeartbeat(
    "presence",
    Version,
    // What is gathered is not told yet: nobody misses it.
    () => outgoing[0]?.from ?? set.versionOf(set.node),
    (node, version) => {
      if (version > set.versionOf(node)) requestSnapshot(node)
    },
  )
  yield* cluster.onNodeChange((change, node) => {
    if (change === "joined") return
    const entries = set.drop(node)
    run(Effect.andThen(options.onChange, change === "lost" ? options.onNodeLost(node, entries) : Effect.void))
  })

  return {
    publish: (delta) =>
      Effect.suspend(() => {
        outgoing.push(delta)
        return outgoing.length === 1 ? Effect.asVoid(FiberSet.run(fibers, flush)) : Effect.void
      }),
  } satisfies PresenceReplication
})
