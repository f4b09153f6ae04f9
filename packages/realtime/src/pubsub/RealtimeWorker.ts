/**
 * What realtime does once for all nodes, as durable consumers of the bus: a user's results go into that user's history
 * and from there to the sockets; what moderation takes away leaves the history and the screens. Each may be delivered
 * again: a history keeps an event once, and taking away what is gone changes nothing.
 */
import * as Topic from "../channel/Topic.ts"
import type { EventBus } from "@armoricore/bus/EventBus"
import { type ConfigurationError, PermanentError, type TransientError } from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { type AnyEvent, type EventType, socketEventName } from "@armoricore/domain/EventRegistry"
import type { Ledger } from "@armoricore/worker/ledger/Ledger"
import { type Handler, on } from "@armoricore/worker/Handler"
import * as Worker from "@armoricore/worker/Worker"
import { Effect, Layer, RcMap, Semaphore } from "effect"
import { framePayload, type StoredUserEventType, storedUserEventTypes } from "./JobEvents.ts"
import { RoomLog } from "../rooms/RoomLog.ts"
import { Topics } from "./Topics.ts"

/** Events that the consumers below read. */
export const consumedTypes: ReadonlyArray<EventType> = [...storedUserEventTypes, "moderation.flagged"]

export const layer: Layer.Layer<never, TransientError | ConfigurationError, EventBus | Ledger | RoomLog | Topics> =
  Layer.effectDiscard(
    Effect.gen(function* () {
      const userLocks = yield* RcMap.make({ lookup: (_userId: string) => Semaphore.make(1) })
      yield* Worker.run("realtime", [
        ...storedUserEventTypes.map((type) => storeUserEvent(type, userLocks)),
        applyModeration,
      ])
    }),
  )

const concurrency = 16

/**
 * Users are served side by side, each in the order of arrival, by turns in this process. A lane of the ledger would
 * keep that order over all processes too, but what waits in it goes back to the bus and asks again later: hundreds of
 * results for one user would take minutes. Who is overtaken in another process is told by the event's own timestamp.
 */
const storeUserEvent = (
  type: StoredUserEventType,
  userLocks: RcMap.RcMap<string, Semaphore.Semaphore>,
): Handler<RoomLog> => {
  const handler = on(type, {
    concurrency,
    // The history keeps an event once.
    idempotent: true,
    handle: () => Effect.succeed([]),
    onFailure: () => [],
  })
  return {
    ...handler,
    // The payload is passed on as it came, with fields that this version does not know.
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
    // Nobody takes results away; were it so, there would be nothing left to tell.
    .pipe(
      Effect.catchTag("ChannelError", () => Effect.void),
      userLock.withPermits(1),
    )
}, Effect.scoped)

const applyModeration: Handler<RoomLog | Topics> = on("moderation.flagged", {
  concurrency,
  handle: Effect.fnUntraced(function* ({ payload: { target, reasons, action } }) {
    if (action !== "remove") return []
    const { kind, id, room_id, stream_id } = target
    const room = kind === "chat" ? room_id : stream_id
    if (room === undefined) {
      const message = `a ${kind} is removed from a place: target.${kind === "chat" ? "room_id" : "stream_id"} is missing`
      return yield* new PermanentError({ code: "invalid_target", message })
    }
    const topic = kind === "chat" ? Topic.chatRoom(room) : Topic.commentStream(room)
    const eventName = kind === "chat" ? "message_removed" : "comment_removed"
    const roomLog = yield* RoomLog
    const topics = yield* Topics
    yield* roomLog.remove(topic, id)
    yield* topics.broadcast(topic, eventName, { id, reason: reasons.join(", ") })
    return []
  }),
  onFailure: () => [],
})
