/** The handlers of every procedure of the operator API. */
import type { Tokens } from "@armoricore/auth/Tokens"
import type { Revocations } from "@armoricore/auth/Revocations"
import type { EventBus } from "@armoricore/bus/EventBus"
import type { RealtimeAdmin } from "@armoricore/realtime/admin/RealtimeAdmin"
import type { KeyValue } from "@armoricore/state/KeyValue"
import { eventTypes, isEventType } from "@armoricore/domain/EventRegistry"
import { SuppressionList } from "@armoricore/state/SuppressionList"
import { UserDevices } from "@armoricore/state/UserDevices"
import { UserInbox } from "@armoricore/state/UserInbox"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import type { NodeRpc } from "@armoricore/worker/control/NodeRpc"
import { Cancellation } from "@armoricore/worker/control/Cancellation"
import { DeadLetters } from "@armoricore/worker/dead-letters/DeadLetters"
import type { Ledger } from "@armoricore/worker/ledger/Ledger"
import { Effect, Layer, Stream } from "effect"
import { OperatorAuth } from "./OperatorAuth.ts"
import { Audit } from "./Audit.ts"
import * as JobHandlers from "./handlers/JobHandlers.ts"
import * as DeadLetterHandlers from "./handlers/DeadLetterHandlers.ts"
import { ActionRejected } from "./api/Errors.ts"
import { mapErrors, clampLimit, toOperatorError } from "./handlers/Errors.ts"
import * as LibraryHandlers from "./handlers/LibraryHandlers.ts"
import * as NotificationHandlers from "./handlers/NotificationHandlers.ts"
import * as SocketHandlers from "./handlers/SocketHandlers.ts"
import * as CircuitHandlers from "./handlers/CircuitHandlers.ts"
import * as SuppressionHandlers from "./handlers/SuppressionHandlers.ts"
import { DeadLetterIndex } from "./DeadLetterIndex.ts"
import { JobIndex } from "./JobIndex.ts"
import * as LiveTail from "./LiveTail.ts"
import { Monitor } from "./Monitor.ts"
import { Caller, OperatorApi } from "./OperatorApi.ts"
import * as OperatorMiddleware from "./OperatorMiddleware.ts"
import { Reviews } from "./Reviews.ts"
import { InFlightRequests } from "./InFlightRequests.ts"

export interface Options {
  readonly version: string
}

/** Services that the API requires. `CircuitRegistry` is a Reference with a default. */
export type Requirements = EventBus | KeyValue | Ledger | Tokens | Revocations | NodeRpc | RealtimeAdmin

const layerNoDeps = ({ version }: Options) =>
  OperatorApi.toLayer(
    Effect.gen(function* () {
      const monitor = yield* Monitor
      const audit = yield* Audit
      const reviews = yield* Reviews
      const notifications = yield* NotificationHandlers.make
      return OperatorApi.of({
        WhoAmI: () =>
          Effect.map(Caller, ({ expiresAt, userId }) => ({ user_id: userId, expires_at: expiresAt, version })),
        GetOverview: () => monitor.overview,
        WatchOverview: () => monitor.watch,
        ...(yield* JobHandlers.make),
        ...(yield* DeadLetterHandlers.make),
        ...(yield* LibraryHandlers.make(notifications.runsOf)),
        ...notifications.procedures,
        ...(yield* SocketHandlers.make),
        ...(yield* CircuitHandlers.make),
        ...(yield* SuppressionHandlers.make),
        WatchLive: (filter) => {
          const unknown = filter.types?.find((type) => !isEventType(type))
          return unknown === undefined
            ? Stream.mapError(LiveTail.watch(filter), toOperatorError)
            : Stream.fail(
                new ActionRejected({ code: "invalid", message: `${unknown} is not one of ${eventTypes.join(", ")}` }),
              )
        },
        ListReviews: (query) => mapErrors(reviews.list({ ...query, limit: clampLimit(query.limit, 100, 1_000) })),
        ApproveReview: ({ review_id }) =>
          Effect.flatMap(Caller, ({ userId }) => mapErrors(reviews.approve(review_id, userId))),
        RemoveReview: ({ review_id }) =>
          Effect.flatMap(Caller, ({ userId }) => mapErrors(reviews.remove(review_id, userId))),
        DecideReviews: ({ decision, review_ids }) =>
          Effect.flatMap(Caller, ({ userId }) =>
            mapErrors(
              Effect.map(
                Effect.forEach(
                  new Set(review_ids),
                  (review_id) =>
                    (decision === "approve"
                      ? reviews.approve(review_id, userId)
                      : reviews.remove(review_id, userId)
                    ).pipe(
                      Effect.as([]),
                      Effect.catchTag("ActionRejected", ({ message }) => Effect.succeed([{ review_id, message }])),
                    ),
                  { concurrency: 8 },
                ),
                (results) => ({
                  decided: results.filter(({ length }) => length === 0).length,
                  rejected: results.flat(),
                }),
              ),
            ),
          ),
        ListAudit: ({ limit, ...filter }) => mapErrors(audit.list({ ...filter, limit: clampLimit(limit, 100, 1_000) })),
      })
    }),
  )

/** The handlers behind the authorization middleware. */
export const layer = (options: Options) =>
  Layer.merge(layerNoDeps(options), OperatorMiddleware.layer).pipe(
    Layer.provide(Monitor.layer),
    Layer.provideMerge(Layer.merge(OperatorAuth.layer, InFlightRequests.layer)),
    Layer.provide([
      Audit.layer,
      JobIndex.layer,
      Reviews.layer,
      DeadLetterIndex.layer.pipe(Layer.provideMerge(DeadLetters.layer)),
      SuppressionList.layer,
      UserDevices.layer,
      UserInbox.layer,
      UserPreferences.layer,
      Cancellation.layer,
    ]),
  )
