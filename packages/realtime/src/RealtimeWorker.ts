/**
 * What realtime does once for all nodes, as durable consumers of the bus: a user's results go into that user's history
 * and from there to the sockets; what moderation takes away leaves the history and the screens. Each may be delivered
 * again: a history keeps an event once, and taking away what is gone changes nothing.
 */
import type { EventBus } from "@armoricore/bus/EventBus"
import { type ConfigurationError, PermanentError, type TransientError } from "@armoricore/domain/Errors"
import * as EventCodec from "@armoricore/domain/EventCodec"
import type { AnyEvent, EventType } from "@armoricore/domain/Events"
import type { Ledger } from "@armoricore/worker/Ledger"
import { type Handler, on } from "@armoricore/worker/Handler"
import * as Worker from "@armoricore/worker/Worker"
import { Effect, Layer, RcMap, Semaphore } from "effect"
import { isKept, kept, told } from "./Results.ts"
import { Timeline } from "./Timeline.ts"
import { Topics } from "./Topics.ts"

/** Events that the consumers below read. */
export const readTypes: ReadonlyArray<EventType> = [...Object.keys(kept).filter(isKept), "moderation.flagged"]

export const layer: Layer.Layer<never, TransientError | ConfigurationError, EventBus | Ledger | Timeline | Topics> =
  Layer.effectDiscard(
    Effect.gen(function* () {
      const turns = yield* RcMap.make({ lookup: (_userId: string) => Semaphore.make(1) })
      yield* Worker.run("realtime", [
        ...Object.keys(kept)
          .filter(isKept)
          .map((type) => keep(type, turns)),
        moderate,
      ])
    }),
  )

const concurrency = 16

/**
 * Users are served side by side, each in the order of arrival, by turns in this process. A lane of the ledger would
 * keep that order over all processes too, but what waits in it goes back to the bus and asks again later: hundreds of
 * results for one user would take minutes. Who is overtaken in another process is told by the event's own timestamp.
 */
const keep = (type: keyof typeof kept, turns: RcMap.RcMap<string, Semaphore.Semaphore>): Handler<Timeline> => {
  const handler = on(type, {
    concurrency,
    // The history keeps an event once.
    repeatable: true,
    handle: () => Effect.succeed([]),
    failed: () => [],
  })
  return {
    ...handler,
    // The payload is passed on as it came, with fields that this version does not know.
    read: (message) =>
      Effect.gen(function* () {
        const incoming = yield* handler.read(message)
        const { event, json } = yield* EventCodec.decode(message.body)
        return { ...incoming, handle: () => Effect.as(post(kept[type], event, json["payload"], turns), []) }
      }),
  }
}

const post = Effect.fnUntraced(function* (
  name: string,
  event: AnyEvent,
  asItCame: unknown,
  turns: RcMap.RcMap<string, Semaphore.Semaphore>,
) {
  const { event_id, payload } = event
  if (!("user_id" in payload)) return
  const timeline = yield* Timeline
  const turn = yield* RcMap.get(turns, payload.user_id)
  yield* timeline
    .post(`user:${payload.user_id}`, { event: name, id: event_id, payload: told(asItCame, event) })
    // Nobody takes results away; were it so, there would be nothing left to tell.
    .pipe(
      Effect.catchTag("Refusal", () => Effect.void),
      turn.withPermits(1),
    )
}, Effect.scoped)

const moderate: Handler<Timeline | Topics> = on("moderation.flagged", {
  concurrency,
  handle: Effect.fnUntraced(function* ({ payload: { target, reasons, action } }) {
    if (action !== "remove") return []
    const { kind, id, room_id, stream_id } = target
    const room = kind === "chat" ? room_id : stream_id
    if (room === undefined) {
      const message = `a ${kind} is removed from a place: target.${kind === "chat" ? "room_id" : "stream_id"} is missing`
      return yield* new PermanentError({ code: "invalid_target", message })
    }
    const topic = kind === "chat" ? `chat:room:${room}` : `comments:stream:${room}`
    const told = kind === "chat" ? "message_removed" : "comment_removed"
    const timeline = yield* Timeline
    const topics = yield* Topics
    yield* timeline.remove(topic, id)
    yield* topics.broadcast(topic, told, { id, reason: reasons.join(", ") })
    return []
  }),
  failed: () => [],
})
