/**
 * What `realtime` removes of a user who is erased: messages in every room, whose `seq` stays taken, and the user's own events.
 * Open sockets are closed, and tokens issued before no longer connect. A new store of realtime with data of users is one more
 * entry here.
 */
import { noPreferences } from "@armoricore/domain/Preferences"
import { History } from "@armoricore/history/History"
import * as Collection from "@armoricore/state/Collection"
import { Audiences } from "@armoricore/state/Audiences"
import { UserDevices } from "@armoricore/state/UserDevices"
import { UserInbox } from "@armoricore/state/UserInbox"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import * as BusErasure from "@armoricore/worker/erasure/BusErasure"
import * as DecisionErasure from "@armoricore/worker/erasure/DecisionErasure"
import { type ErasureStore, FurtherStores } from "@armoricore/worker/erasure/ErasureStore"
import { Effect } from "effect"
import { roomMembers } from "../access/RoomMembers.ts"
import { RealtimeAdmin } from "../admin/RealtimeAdmin.ts"
import * as Topic from "../channel/Topic.ts"
import { MessageChanges, type Removal } from "../rooms/MessageChanges.ts"
import { ReadState } from "../rooms/ReadState.ts"
import { payloadOf } from "../rooms/RoomEntry.ts"

/** More items than an inbox has. */
const maxItems = 100_000

/** The `reason` of the removals that clients receive. */
const removalReason = "erased"

const removalEvents: ReadonlyArray<readonly [topic: RegExp, event: string]> = [
  [/^(?:chat:room|dm):/, "message_removed"],
  [/^comments:stream:/, "comment_removed"],
]

export const makeStores = Effect.gen(function* () {
  const history = yield* History
  const changes = yield* MessageChanges
  const readState = yield* ReadState
  const admin = yield* RealtimeAdmin
  const inboxes = yield* UserInbox
  const registry = yield* UserDevices
  const members = yield* Collection.make(roomMembers)
  const preferences = yield* UserPreferences
  const audiences = yield* Audiences

  const sockets: ErasureStore = {
    name: "sockets",
    erase: Effect.fn("RealtimeErasure.sockets")(function* ({ userId }) {
      const { items } = yield* admin.sockets({ userId })
      yield* admin.ban({ userId })
      return items.length
    }),
  }

  /** Only an append fails with a ChannelError, and only where the notice itself was removed. */
  const announceRemoval = (room: string, removal: Removal) =>
    Effect.catchTag(changes.remove(room, removal), "ChannelError", () => Effect.succeed(false))

  const messages: ErasureStore = {
    name: "messages",
    erase: Effect.fn("RealtimeErasure.messages")(function* ({ userId }) {
      const text = `"user_id":${JSON.stringify(userId)}`
      const removed = yield* history.removeMatching(text, (body) => payloadOf(body)["user_id"] === userId)
      for (const { id, room } of removed) {
        const event = removalEvents.find(([topic]) => room !== undefined && topic.test(room))?.[1]
        if (room !== undefined && event !== undefined)
          yield* announceRemoval(room, { event, id, reason: removalReason })
      }
      return removed.length
    }),
  }

  const reads: ErasureStore = { name: "read_state", erase: ({ userId }) => readState.forget(userId) }

  const inbox: ErasureStore = {
    name: "inbox",
    erase: Effect.fn("RealtimeErasure.inbox")(function* ({ userId }) {
      const current = yield* inboxes.list(userId, { limit: maxItems })
      const archived = yield* inboxes.list(userId, { limit: maxItems, archived: true })
      yield* inboxes.clear(userId)
      return current.items.length + archived.items.length
    }),
  }

  const devices: ErasureStore = {
    name: "devices",
    erase: Effect.fn("RealtimeErasure.devices")(function* ({ userId }) {
      const registered = yield* registry.list(userId)
      yield* registry.clear(userId)
      return registered.length
    }),
  }

  const memberships: ErasureStore = {
    name: "memberships",
    erase: Effect.fn("RealtimeErasure.memberships")(function* ({ userId }) {
      let removed = 0
      yield* Collection.forEach(members, ({ key, value }) =>
        value.user_id === userId
          ? Effect.andThen(
              Collection.retryConflicts(members.remove(key)),
              Effect.sync(() => void removed++),
            )
          : Effect.void,
      )
      return removed
    }),
  }

  const choices: ErasureStore = {
    name: "preferences",
    erase: Effect.fn("RealtimeErasure.preferences")(function* ({ userId }) {
      const stored = (yield* preferences.get(userId)) !== noPreferences
      yield* preferences.clear(userId)
      return stored ? 1 : 0
    }),
  }

  const audienceMemberships: ErasureStore = {
    name: "audiences",
    erase: Effect.fn("RealtimeErasure.audiences")(function* ({ userId }) {
      return yield* audiences.forget(userId)
    }),
  }

  return [
    sockets,
    memberships,
    messages,
    reads,
    inbox,
    devices,
    choices,
    audienceMemberships,
    yield* DecisionErasure.makeStore,
    ...(yield* BusErasure.makeStores),
    ...(yield* FurtherStores),
  ] satisfies ReadonlyArray<ErasureStore>
})

/** Removes the events of a deleted media from its owner's history, except `exceptId`. */
export const removeMediaEvents = Effect.fn("RealtimeErasure.removeMediaEvents")(function* (
  userId: string,
  mediaId: string,
  exceptId: string,
) {
  const history = yield* History
  const room = Topic.user(userId)
  let before: number | undefined
  for (;;) {
    const page = yield* history.read(room, { limit: 200, ...(before === undefined ? {} : { before }) })
    for (const { body, id } of page.items) {
      if (id !== exceptId && payloadOf(body)["media_id"] === mediaId) yield* history.remove(room, id)
    }
    before = page.items[0]?.seq
    if (!page.more) return
  }
})
