/**
 * The durable consumers of realtime; one node handles each event. A user's job events are appended to that user's history,
 * which delivers them to the sockets; in-app items go to the user's inbox; a rejected token leaves the registry of devices;
 * moderation removes messages from the history and announces the removal. All handlers are idempotent: history and inbox
 * store an id once, and a second removal changes nothing.
 */
import type { RealtimeAdmin } from "../admin/RealtimeAdmin.ts"
import * as Topic from "../channel/Topic.ts"
import * as RealtimeErasure from "../erasure/RealtimeErasure.ts"
import type { History } from "@armoricore/history/History"
import * as Erasure from "@armoricore/worker/erasure/Erasure"
import type { EventBus } from "@armoricore/bus/EventBus"
import { type ConfigurationError, PermanentError, type TransientError } from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { type AnyEvent, type EventType, socketEventName } from "@armoricore/domain/EventRegistry"
import type { KeyValue } from "@armoricore/state/KeyValue"
import { Audiences } from "@armoricore/state/Audiences"
import { UserDevices } from "@armoricore/state/UserDevices"
import { UserInbox } from "@armoricore/state/UserInbox"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import type { Ledger } from "@armoricore/worker/ledger/Ledger"
import { type Handler, on } from "@armoricore/worker/Handler"
import { emit } from "@armoricore/worker/ResultMessage"
import * as Worker from "@armoricore/worker/Worker"
import { Effect, Layer, RcMap, Semaphore } from "effect"
import { framePayload, type StoredUserEventType, storedUserEventTypes } from "./JobEvents.ts"
import type { Inboxes } from "../inbox/Inboxes.ts"
import { MessageChanges } from "../rooms/MessageChanges.ts"
import type { ReadState } from "../rooms/ReadState.ts"
import { RoomLog } from "../rooms/RoomLog.ts"
import * as UserRegistries from "./UserRegistries.ts"

/** Events that the handlers below consume. */
export const consumedTypes: ReadonlyArray<EventType> = [
  ...storedUserEventTypes,
  "inbox.item",
  "device.token_invalid",
  "device.token_restored",
  "moderation.flagged",
  "user.erase_requested",
]

type Dependencies =
  | EventBus
  | History
  | Inboxes
  | KeyValue
  | Ledger
  | MessageChanges
  | ReadState
  | RealtimeAdmin
  | RoomLog

export const layer: Layer.Layer<never, TransientError | ConfigurationError, Dependencies> = Layer.effectDiscard(
  Effect.gen(function* () {
    const userLocks = yield* RcMap.make({ lookup: (_userId: string) => Semaphore.make(1) })
    yield* Worker.run<History | Inboxes | MessageChanges | RoomLog | UserDevices>("realtime", [
      ...storedUserEventTypes.map((type) => storeUserEvent(type, userLocks)),
      UserRegistries.storeInboxItem(userLocks),
      UserRegistries.removeInvalidDevice,
      UserRegistries.restoreDevice,
      applyModeration,
      yield* Erasure.handler("realtime", yield* RealtimeErasure.makeStores, { isCoordinator: true }),
    ])
  }),
).pipe(Layer.provide([UserDevices.layer, UserInbox.layer, UserPreferences.layer, Audiences.layer]))

const concurrency = 16

/**
 * Parallel across users, FIFO per user within a process. A partition of the ledger would keep the order over all processes,
 * but it returns waiting messages to the bus: hundreds of results for one user would take minutes. Across processes,
 * clients order events by their timestamp.
 */
const storeUserEvent = (
  type: StoredUserEventType,
  userLocks: RcMap.RcMap<string, Semaphore.Semaphore>,
): Handler<History | MessageChanges | RoomLog> => {
  const handler = on(type, {
    concurrency,
    // The history stores an event id once.
    idempotent: true,
    handle: () => Effect.succeed([]),
    onFailure: () => [],
  })
  return {
    ...handler,
    // Uses the raw payload, which may have fields that this version does not know.
    decode: (message) =>
      Effect.gen(function* () {
        const incoming = yield* handler.decode(message)
        const { event, raw } = yield* EventCodec.decode(message.body)
        return {
          ...incoming,
          handle: () => Effect.as(appendUserEvent(socketEventName(type), event, raw["payload"], userLocks), []),
        }
      }),
  }
}

const appendUserEvent = Effect.fnUntraced(function* (
  name: string,
  event: AnyEvent,
  rawPayload: unknown,
  userLocks: RcMap.RcMap<string, Semaphore.Semaphore>,
) {
  const { event_id, payload } = event
  if (!("user_id" in payload)) return
  const roomLog = yield* RoomLog
  const userLock = yield* RcMap.get(userLocks, payload.user_id)
  yield* roomLog
    .append(Topic.user(payload.user_id), { event: name, id: event_id, payload: framePayload(rawPayload, event) })
    // `removed` is the only ChannelError of an append. Job events are never removed; a removed one needs no delivery.
    .pipe(
      Effect.catchTag("ChannelError", () => Effect.void),
      userLock.withPermits(1),
    )
  if (event.event_type === "media.deleted")
    yield* RealtimeErasure.removeMediaEvents(payload.user_id, event.payload.media_id, event_id)
}, Effect.scoped)

const applyModeration: Handler<MessageChanges | RoomLog> = on("moderation.flagged", {
  concurrency,
  handle: Effect.fnUntraced(function* ({ timestamp, payload: { target, reasons, action } }) {
    if (action !== "remove") return []
    const { kind, id, room_id, stream_id, user_id } = target
    const room = kind === "chat" ? room_id : stream_id
    if (room === undefined) {
      const message = `cannot remove a ${kind} message: target.${kind === "chat" ? "room_id" : "stream_id"} is missing`
      return yield* new PermanentError({ code: "invalid_target", message })
    }
    const topic = kind === "chat" ? Topic.chatRoom(room) : Topic.commentStream(room)
    const eventName = kind === "chat" ? "message_removed" : "comment_removed"
    const changes = yield* MessageChanges
    yield* changes
      .remove(topic, { event: eventName, id, reason: reasons.join(", ") })
      // Only an append fails with a ChannelError, and only where the notice itself was removed.
      .pipe(Effect.catchTag("ChannelError", () => Effect.void))
    const removal = { user_id, reason: reasons.join(", "), timestamp }
    return [
      kind === "chat"
        ? emit("chat.removed", { ...removal, message_id: id, room_id: room })
        : emit("comment.removed", { ...removal, comment_id: id, stream_id: room }),
    ]
  }),
  onFailure: () => [],
})
