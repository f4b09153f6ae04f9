/**
 * The state document of a delivery. `sending` is written before every call of a provider and holds a lease. A worker
 * that finds `sending` with an expired lease knows that the provider may have received the call, and that its outcome
 * is unknown.
 */
import { type ConfigurationError, type Conflict, TransientError } from "@armoricore/domain/Errors"
import { type DeliveryState, statusRank } from "@armoricore/domain/NotificationState"
import * as Collection from "@armoricore/state/Collection"
import { deliveryStates } from "@armoricore/state/NotificationStates"
import { Clock, Effect, Option, Schedule } from "effect"

type StateError = TransientError | ConfigurationError
export type Document = Collection.Document<DeliveryState>
export type DeliveryChange = Partial<
  Omit<DeliveryState, "delivery_id" | "notification_id" | "channel" | "updated_at">
> &
  Pick<DeliveryState, "status">

export interface DeliveryRecord {
  readonly get: (id: string) => Effect.Effect<Document | undefined, StateError>
  /** Fails with `Conflict` if the document was written after `current` was read. */
  readonly write: (
    about: Pick<DeliveryState, "delivery_id" | "notification_id" | "channel">,
    current: Document | undefined,
    change: DeliveryChange,
  ) => Effect.Effect<Document, Conflict | StateError>
  /**
   * Writes the result of a call, unless a report with a higher status was stored first. It retries, because the call
   * cannot be undone.
   */
  readonly writeResult: (current: Document, change: DeliveryChange) => Effect.Effect<Document, StateError>
  /** Merges a provider's report into the current document, or creates the document. A lower status is ignored. */
  readonly applyReport: (
    about: Pick<DeliveryState, "delivery_id" | "notification_id" | "channel">,
    change: DeliveryChange,
  ) => Effect.Effect<DeliveryState, StateError>
}

export const make = Effect.gen(function* () {
  const documents = yield* Collection.make(deliveryStates)

  const write: DeliveryRecord["write"] = Effect.fnUntraced(function* (about, current, change) {
    const now = yield* Clock.currentTimeMillis
    const value: DeliveryState = {
      delivery_id: about.delivery_id,
      notification_id: about.notification_id,
      channel: about.channel,
      attempt: current?.value.attempt ?? 0,
      ...carriedOver(current?.value),
      ...change,
      updated_at: new Date(now).toISOString(),
    }
    const revision = yield* current === undefined
      ? documents.create(about.delivery_id, value)
      : documents.update(about.delivery_id, value, current.revision)
    return { key: about.delivery_id, value, revision }
  })

  const applyReport: DeliveryRecord["applyReport"] = (about, change) =>
    documents
      .modify(about.delivery_id, (found) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          const current = Option.getOrUndefined(found)?.value
          const before: DeliveryState = current ?? { ...about, status: "requested", attempt: 0, updated_at: "" }
          const isHigher = statusRank(change.status) > statusRank(before.status)
          const next: DeliveryState = {
            ...(isHigher ? { ...before, ...change } : { ...change, ...before }),
            updated_at: new Date(now).toISOString(),
          }
          return [next, isHigher ? Option.some(next) : Option.none()] as const
        }),
      )
      .pipe(Effect.catchTag("Conflict", ({ key }) => Effect.fail(writeConflict(key))))

  return {
    get: (id) => Effect.map(documents.get(id), Option.getOrUndefined),
    write,
    writeResult: (current, change) =>
      write(current.value, current, change).pipe(
        Effect.catchTag("Conflict", () =>
          Effect.map(applyReport(current.value, change), (value) => ({ ...current, value })),
        ),
        Effect.retry({
          while: (error) => error._tag === "TransientError",
          schedule: Schedule.exponential("50 millis").pipe(Schedule.upTo({ times: 6 })),
        }),
      ),
    applyReport,
  } satisfies DeliveryRecord
})

/** The fields that remain across a change of status. */
const carriedOver = (before: DeliveryState | undefined): Partial<DeliveryState> => ({
  ...(before?.provider === undefined ? {} : { provider: before.provider }),
  ...(before?.provider_id === undefined ? {} : { provider_id: before.provider_id }),
  ...(before?.deferrals === undefined ? {} : { deferrals: before.deferrals }),
  ...(before?.reopened_by === undefined ? {} : { reopened_by: before.reopened_by }),
})

export const writeConflict = (id: string) =>
  new TransientError({
    dependency: "state",
    code: "write_conflict",
    message: `${id} was changed by another worker`,
    countsAsAttempt: false,
  })
