/**
 * Changes of stored messages: edits, removals and reactions. Each one first changes the message in the history, so that later
 * readers see its final state, and is then appended to the change log of the topic, which delivers it.
 *
 * A notice has the state of its message, not a difference, so a client that receives one twice is right. Two nodes may append
 * notices in another order than they changed the message. Therefore a node reads the message again after its notice, and
 * appends another one if the message differs: the last notice equals the message.
 *
 * Reactions of one message run in batches, as appends do. Their counts are announced at most {@link announceInterval} apart
 * for each topic, one notice for each message that changed.
 */
import type { PortError } from "@armoricore/domain/Errors"
import { Context, Deferred, Effect, Exit, FiberSet, Layer } from "effect"
import { ChannelError } from "../channel/ChannelError.ts"
import * as Throttle from "../pubsub/Throttle.ts"
import * as ChangeLog from "./ChangeLog.ts"
import * as Reactors from "./Reactors.ts"
import { type LogEntry, RoomLog, type StoredEntry } from "./RoomLog.ts"

export interface ReactionState {
  /** By emoji. */
  readonly counts: Readonly<Record<string, number>>
  /** The emojis of the user who reacted. */
  readonly own: ReadonlyArray<string>
}

export interface Reaction {
  readonly userId: string
  readonly emoji: string
  readonly isAdded: boolean
}

export interface Removal {
  /** The event of the notice, `message_removed` or `comment_removed`. */
  readonly event: string
  readonly id: string
  readonly reason: string
}

export class MessageChanges extends Context.Service<
  MessageChanges,
  {
    /** Returns the message after the edit. Fails with `not_found` if no such message is stored, and as `edit` does. */
    readonly edit: (
      topic: string,
      id: string,
      edit: (payload: Readonly<Record<string, unknown>>) => Effect.Effect<object, ChannelError>,
    ) => Effect.Effect<LogEntry, ChannelError | PortError>
    /** Removes and announces. Idempotent; false if there was no such message. */
    readonly remove: (topic: string, removal: Removal) => Effect.Effect<boolean, ChannelError | PortError>
    readonly react: (
      topic: string,
      id: string,
      reaction: Reaction,
    ) => Effect.Effect<ReactionState, ChannelError | PortError>
  }
>()("@armoricore/realtime/MessageChanges") {}

/** At most four times a second for a topic. */
const announceInterval = "250 millis"
/** More notices than concurrent changes of one message. */
const maxNotices = 8

const tooManyReactions = new ChannelError({ reason: "too_many_reactions" })

interface PendingReaction extends Reaction {
  readonly done: Deferred.Deferred<ReactionState, ChannelError | PortError>
}

export const layer: Layer.Layer<MessageChanges, never, RoomLog> = Layer.effect(
  MessageChanges,
  Effect.gen(function* () {
    const roomLog = yield* RoomLog
    const fork = yield* FiberSet.makeRuntime<never, void>()
    /** Messages with a running batch, and the reactions of the next one. */
    const queues = new Map<string, Array<PendingReaction>>()
    /** Messages of a topic whose counts are not announced yet. */
    const changed = new Map<string, Set<string>>()

    const announce = (topic: string, event: string, payload: object, id: string = crypto.randomUUID()) =>
      roomLog.append(ChangeLog.roomOf(topic), { event, id, payload })

    /** Announces a state of the message. Returns a later one, if there is one. */
    const announceState = Effect.fnUntraced(function* (
      topic: string,
      entry: LogEntry,
      toNotice: (entry: LogEntry) => { readonly event: string; readonly payload: object },
    ) {
      const { event, payload } = toNotice(entry)
      const id = String(entry.payload["id"])
      yield* announce(topic, event, payload)
      const current = yield* roomLog.get(topic, id)
      return current === undefined || isEqual(toNotice(current).payload, payload) ? undefined : current
    })

    const announceEdit = Effect.fnUntraced(function* (topic: string, entry: LogEntry) {
      let later: LogEntry | undefined = entry
      for (let notices = 0; notices < maxNotices && later !== undefined; notices++)
        later = yield* announceState(topic, later, editNotice)
    })

    const noteChanged = (topic: string, id: string): void => {
      const ids = changed.get(topic) ?? new Set()
      changed.set(topic, ids.add(id))
    }

    const announceCounts = Effect.fnUntraced(function* (topic: string, id: string) {
      const entry = yield* roomLog.get(topic, id)
      if (entry === undefined || (yield* announceState(topic, entry, countsNotice)) === undefined) return
      // In the next interval, so that a message which changes all the time is announced at the same rate.
      noteChanged(topic, id)
      yield* countsThrottle.trigger(topic)
    })

    const countsThrottle: Throttle.Throttle = yield* Throttle.make(
      (topic) =>
        Effect.gen(function* () {
          const ids = changed.get(topic) ?? []
          changed.delete(topic)
          yield* Effect.forEach(ids, (id) => announceCounts(topic, id), { discard: true })
        }).pipe(Effect.catch((error) => Effect.logWarning(`cannot announce reactions on ${topic}: ${error.message}`))),
      announceInterval,
    )

    const applyBatch = (topic: string, id: string, batch: ReadonlyArray<PendingReaction>) =>
      Effect.gen(function* () {
        const refused = new Set<PendingReaction>()
        let isChanged = false
        const entry = yield* roomLog.change(topic, id, (stored) => {
          const before = stored.reactors ?? {}
          refused.clear()
          const reactors = batch.reduce((current, pending) => {
            const { emoji, isAdded, userId } = pending
            if (!isAdded) return Reactors.remove(current, emoji, userId)
            const added = Reactors.add(current, emoji, userId)
            if (added !== "full") return added
            refused.add(pending)
            return current
          }, before)
          isChanged = reactors !== before
          return Effect.succeed(isChanged ? ({ ...stored, reactors } satisfies StoredEntry) : undefined)
        })
        for (const pending of batch) {
          const state = { counts: Reactors.counts(entry.reactors), own: Reactors.own(entry.reactors, pending.userId) }
          yield* refused.has(pending)
            ? Deferred.fail(pending.done, tooManyReactions)
            : Deferred.succeed(pending.done, state)
        }
        if (!isChanged) return
        noteChanged(topic, id)
        yield* countsThrottle.trigger(topic)
      })

    const drainQueue = Effect.fnUntraced(function* (key: string, topic: string, id: string) {
      for (;;) {
        const batch = queues.get(key)?.splice(0) ?? []
        if (batch.length === 0) break
        const exit = yield* Effect.exit(applyBatch(topic, id, batch))
        if (Exit.isFailure(exit)) {
          yield* Effect.forEach(batch, ({ done }) => Deferred.failCause(done, exit.cause), { discard: true })
        }
      }
      queues.delete(key)
    })

    return {
      edit: Effect.fn("MessageChanges.edit")(function* (topic, id, edit) {
        const entry = yield* roomLog.change(topic, id, (stored) =>
          Effect.map(edit({ ...stored.payload }), (payload) => ({ ...stored, payload })),
        )
        yield* announceEdit(topic, entry)
        return entry
      }),
      remove: Effect.fn("MessageChanges.remove")(function* (topic, { event, id, reason }) {
        const isRemoved = yield* roomLog.remove(topic, id)
        yield* announce(topic, event, { id, reason }, `removed:${id}`)
        return isRemoved
      }),
      react: (topic, id, reaction) =>
        Effect.suspend(() => {
          const pending: PendingReaction = { ...reaction, done: Deferred.makeUnsafe() }
          const key = `${topic} ${id}`
          const queue = queues.get(key)
          if (queue === undefined) {
            queues.set(key, [pending])
            fork(drainQueue(key, topic, id))
          } else queue.push(pending)
          return Deferred.await(pending.done)
        }),
    }
  }),
)

/** Reactions have notices of their own. */
const isEqual = (a: object, b: object): boolean =>
  JSON.stringify({ ...a, reactions: undefined }) === JSON.stringify({ ...b, reactions: undefined })

const editNotice = ({ payload }: LogEntry) => ({ event: "message_edited", payload })

const countsNotice = ({ payload, reactors }: LogEntry) => ({
  event: "reactions",
  payload: { id: payload["id"], counts: Reactors.counts(reactors) },
})
