/**
 * The state document of a delivery. `sending` is written before every call of a provider and carries a lease; whoever
 * finds it after the lease knows that a call may have been made and that nobody knows its end.
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
  /** Fails with `Conflict` where somebody else wrote since `current` was read. */
  readonly write: (
    about: Pick<DeliveryState, "delivery_id" | "notification_id" | "channel">,
    current: Document | undefined,
    change: DeliveryChange,
  ) => Effect.Effect<Document, Conflict | StateError>
  /** Writes what came of a call, unless a report that says more was faster. Tries hard: the call cannot be undone. */
  readonly writeResult: (current: Document, change: DeliveryChange) => Effect.Effect<Document, StateError>
  /** What a provider reports, whatever is there. */
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
          const more = statusRank(change.status) > statusRank(before.status)
          const next: DeliveryState = {
            ...(more ? { ...before, ...change } : { ...change, ...before }),
            updated_at: new Date(now).toISOString(),
          }
          return [next, more ? Option.some(next) : Option.none()] as const
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

/** What outlives a change of state. */
const carriedOver = (before: DeliveryState | undefined): Partial<DeliveryState> => ({
  ...(before?.provider === undefined ? {} : { provider: before.provider }),
  ...(before?.provider_id === undefined ? {} : { provider_id: before.provider_id }),
})

export const writeConflict = (id: string) =>
  new TransientError({
    dependency: "state",
    code: "write_conflict",
    message: `${id} was changed by somebody else`,
    countsAsAttempt: false,
  })
