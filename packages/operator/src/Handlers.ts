/** Every procedure of the operators' API, put together. */
import type { Tokens } from "@armoricore/auth/Tokens"
import type { Revocations } from "@armoricore/auth/Revocations"
import type { EventBus } from "@armoricore/bus/EventBus"
import type { Operator } from "@armoricore/realtime/Operator"
import type { KeyValue } from "@armoricore/state/KeyValue"
import type { ControlPlane } from "@armoricore/worker/ControlPlane"
import { Cancellation } from "@armoricore/worker/Cancellation"
import { DeadLetters } from "@armoricore/worker/DeadLetters"
import type { Ledger } from "@armoricore/worker/Ledger"
import { Effect, Layer } from "effect"
import { Admission } from "./Admission.ts"
import { Audit } from "./Audit.ts"
import * as Jobs from "./handlers/Jobs.ts"
import * as Letters from "./handlers/Letters.ts"
import { failing, limitOf } from "./handlers/Failing.ts"
import * as People from "./handlers/People.ts"
import * as Switches from "./handlers/Switches.ts"
import { JobBoard } from "./JobBoard.ts"
import { Monitor } from "./Monitor.ts"
import { Caller, OperatorApi } from "./OperatorApi.ts"
import * as OperatorGuard from "./OperatorGuard.ts"
import { Reviews } from "./Reviews.ts"
import { UnderWay } from "./UnderWay.ts"

export interface Options {
  readonly version: string
}

/** What the API stands on; `Switchboard` and `LogControl` are References and have defaults. */
export type Needs = EventBus | KeyValue | Ledger | Tokens | Revocations | ControlPlane | Operator

const layerNoDeps = ({ version }: Options) =>
  OperatorApi.toLayer(
    Effect.gen(function* () {
      const monitor = yield* Monitor
      const audit = yield* Audit
      const reviews = yield* Reviews
      return OperatorApi.of({
        WhoAmI: () =>
          Effect.map(Caller, ({ expiresAt, userId }) => ({ user_id: userId, expires_at: expiresAt, version })),
        GetOverview: () => monitor.overview,
        WatchOverview: () => monitor.watch,
        ...(yield* Jobs.make),
        ...(yield* Letters.make),
        ...(yield* People.make),
        ...(yield* Switches.make),
        ListReviews: ({ limit, status }) => failing(reviews.list({ status, limit: limitOf(limit, 100, 1_000) })),
        ApproveReview: ({ review_id }) =>
          Effect.flatMap(Caller, ({ userId }) => failing(reviews.approve(review_id, userId))),
        RemoveReview: ({ review_id }) =>
          Effect.flatMap(Caller, ({ userId }) => failing(reviews.remove(review_id, userId))),
        ListAudit: ({ limit, ...filter }) => failing(audit.list({ ...filter, limit: limitOf(limit, 100, 1_000) })),
      })
    }),
  )

/** Handlers and the guard before them. */
export const layer = (options: Options) =>
  Layer.merge(layerNoDeps(options), OperatorGuard.layer).pipe(
    Layer.provide(Monitor.layer),
    Layer.provideMerge(Layer.merge(Admission.layer, UnderWay.layer)),
    Layer.provide([Audit.layer, JobBoard.layer, Reviews.layer, DeadLetters.layer, Cancellation.layer]),
  )
