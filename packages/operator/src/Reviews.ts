/**
 * What moderation flagged, kept for the people who decide: a durable consumer writes each flagged message down, with
 * what was said where the history has it still. An operator approves it, or has it removed: then the same event is told
 * that moderation itself would tell, so that the history, the screens and the backend all learn of it.
 */
import { event as eventAddress } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { type ConfigurationError, type Conflict, type PermanentError, TransientError } from "@armoricore/domain/Errors"
import type { EventOf } from "@armoricore/domain/Events"
import { History } from "@armoricore/history/History"
import * as Collection from "@armoricore/state/Collection"
import type { KeyValue, StateError } from "@armoricore/state/KeyValue"
import { on } from "@armoricore/worker/Handler"
import type { Ledger } from "@armoricore/worker/Ledger"
import { emit, toOutbound } from "@armoricore/worker/Outcome"
import * as Worker from "@armoricore/worker/Worker"
import { Clock, Context, Duration, Effect, Layer, Option, Result, Schema } from "effect"
import { NotDone } from "./api/Failures.ts"
import { Review, type ReviewStatus } from "./api/Review.ts"
import { traceIdOf } from "./JobStates.ts"

type PortFailure = TransientError | PermanentError | ConfigurationError | Conflict

export class Reviews extends Context.Service<
  Reviews,
  {
    /** Newest first. */
    readonly list: (filter: {
      readonly status?: ReviewStatus | undefined
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<Review>, StateError>
    readonly approve: (reviewId: string, by: string) => Effect.Effect<void, NotDone | PortFailure>
    readonly remove: (reviewId: string, by: string) => Effect.Effect<void, NotDone | PortFailure>
  }
>()("@armoricore/operator/Reviews") {
  static readonly layer: Layer.Layer<Reviews, never, EventBus | KeyValue> = Layer.effect(
    Reviews,
    Effect.suspend(() => make),
  )
}

const Kept = Schema.Struct({ ...Review.fields, event_id: Schema.String, request_id: Schema.optionalKey(Schema.String) })
type Kept = typeof Kept.Type

export const reviews: Collection.Descriptor<Kept, typeof Kept.Encoded> = {
  bucket: { name: "reviews", maxAge: Duration.days(30) },
  schema: Kept,
}

/** One message is one review, however often it is flagged. */
const keyOf = ({ kind, id, room_id, stream_id }: Target): string => `${kind}.${room_id ?? stream_id ?? ""}.${id}`
type Target = EventOf<"moderation.flagged">["payload"]["target"]

const page = 500
/** Looked through for the newest. */
const mostRead = 5_000
/** How far back a flagged message is looked for. */
const lookBack = 200

const make = Effect.gen(function* () {
  const bus = yield* EventBus
  const stored = yield* Collection.make(reviews)

  /** From pending only: who comes second is told so. Of our own removal the consumer may have heard before us. */
  const decide = (reviewId: string, status: "approved" | "removed", by: string) =>
    Effect.gen(function* () {
      const at = new Date(yield* Clock.currentTimeMillis).toISOString()
      return yield* stored.modify(reviewId, (found) =>
        Effect.gen(function* () {
          const known = Option.getOrUndefined(found)?.value
          const isOurs = status === "removed" && known?.status === "removed" && known.decided_by === "rules"
          const review = isOurs ? known : yield* pendingOf(found, reviewId)
          return [review, Option.some<Kept>({ ...review, status, decided_by: by, decided_at: at })] as const
        }),
      )
    })

  return Reviews.of({
    list: Effect.fnUntraced(function* ({ limit, status }) {
      const found: Array<Kept> = []
      let after: string | undefined
      while (found.length < mostRead) {
        const documents = yield* stored.list({ limit: page, ...(after === undefined ? {} : { after }) })
        for (const { value } of documents) if (status === undefined || value.status === status) found.push(value)
        after = documents.at(-1)?.key
        if (documents.length < page) break
      }
      return found
        .sort((a, b) => Date.parse(b.flagged_at) - Date.parse(a.flagged_at))
        .slice(0, limit)
        .map(({ event_id: _event, request_id: _request, ...review }) => review)
    }),
    approve: (reviewId, by) => Effect.asVoid(decide(reviewId, "approved", by)),
    remove: Effect.fnUntraced(function* (reviewId, by) {
      const review = yield* Effect.flatMap(stored.get(reviewId), (found) => pendingOf(found, reviewId))
      const { event_id: eventId, kind, message_id: id, place, reasons, request_id: requestId, user_id } = review
      const target = { kind, id, user_id, ...(kind === "chat" ? { room_id: place } : { stream_id: place }) }
      const told = emit("moderation.flagged", { target, reasons, action: "remove" }, "operator")
      // Told first: whoever crashes here tells the same again under the same id.
      const outbound = yield* toOutbound("ai", { eventId, requestId }, told)
      yield* bus.publish({
        address: eventAddress("moderation.flagged"),
        id: outbound.id,
        body: new TextEncoder().encode(outbound.body),
      })
      yield* decide(reviewId, "removed", by)
    }),
  })
})

const pendingOf = (found: Option.Option<Collection.Document<Kept>>, reviewId: string): Effect.Effect<Kept, NotDone> => {
  const review = Option.getOrUndefined(found)?.value
  if (review === undefined) {
    return Effect.fail(new NotDone({ code: "not_found", message: `there is no flagged message ${reviewId}` }))
  }
  return review.status === "pending"
    ? Effect.succeed(review)
    : Effect.fail(
        new NotDone({
          code: "too_late",
          message: `it was ${review.status} already${review.decided_by === undefined ? "" : ` by ${review.decided_by}`}`,
        }),
      )
}

/** The durable consumer that writes flagged messages down. */
export const consumer = { name: "operator-moderation-flagged", from: eventAddress("moderation.flagged") }

/** The worker. */
export const layerWorker: Layer.Layer<
  never,
  TransientError | ConfigurationError,
  EventBus | KeyValue | Ledger | History
> = Layer.effectDiscard(
  Effect.gen(function* () {
    const stored = yield* Collection.make(reviews)
    const history = yield* History

    const note = Effect.fnUntraced(function* (event: EventOf<"moderation.flagged">) {
      const { action, reasons, target } = event.payload
      const place = target.room_id ?? target.stream_id
      if (place === undefined) return []
      const topic = target.kind === "chat" ? `chat:room:${place}` : `comments:stream:${place}`
      const content = action === "review" ? yield* saidIn(history, topic, target.id) : undefined
      const trace = traceIdOf(event.traceparent)
      const fresh: Kept = {
        review_id: keyOf(target),
        event_id: event.event_id,
        kind: target.kind,
        message_id: target.id,
        place,
        user_id: target.user_id,
        reasons,
        flagged_at: event.timestamp,
        ...(content === undefined ? {} : { content }),
        ...(trace === undefined ? {} : { trace_id: trace }),
        ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
        ...(action === "review"
          ? { status: "pending" as const }
          : { status: "removed" as const, decided_by: "rules", decided_at: event.timestamp }),
      }
      yield* stored
        .modify(fresh.review_id, (found) => {
          const known = Option.getOrUndefined(found)?.value
          if (known === undefined) return Effect.succeed([undefined, Option.some(fresh)] as const)
          // A person's word stays; what waits for one is settled when the rules remove it.
          const settled = known.status === "pending" && fresh.status === "removed"
          const { decided_at, decided_by, status } = fresh
          const ended: Kept = {
            ...known,
            status,
            ...(decided_by === undefined ? {} : { decided_by }),
            ...(decided_at === undefined ? {} : { decided_at }),
          }
          return Effect.succeed([undefined, settled ? Option.some(ended) : Option.none<Kept>()] as const)
        })
        // Written by others at the same moment, again and again: the next delivery finds it at rest.
        .pipe(
          Effect.catchTag("Conflict", ({ message }) =>
            Effect.fail(new TransientError({ dependency: "state", code: "contended", message })),
          ),
        )
      return []
    })

    yield* Worker.run("operator", [
      on("moderation.flagged", { concurrency: 4, repeatable: true, handle: note, failed: () => [] }),
    ])
  }),
)

const Said = Schema.fromJsonString(Schema.Struct({ payload: Schema.Struct({ content: Schema.String }) }))
const decodeSaid = Schema.decodeUnknownResult(Said)

/** What somebody said, as the history has it. Without it the review shows no text, and that is all. */
const saidIn = (history: History["Service"], room: string, id: string): Effect.Effect<string | undefined> =>
  history.read(room, { limit: lookBack }).pipe(
    Effect.map(({ items }) => {
      const item = items.find((each) => each.id === id)
      if (item === undefined) return undefined
      const said = decodeSaid(new TextDecoder().decode(item.body))
      return Result.isSuccess(said) ? said.success.payload.content : undefined
    }),
    Effect.catch((error) => Effect.as(Effect.logDebug(`a flagged message was not found: ${error.message}`), undefined)),
  )
