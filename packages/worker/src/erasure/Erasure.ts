/**
 * Erases a user: each service consumes `user.erase_requested` and removes the user from its own stores, because a service may
 * write only those. It repeats the pass over its stores until one finds nothing: work that was in a queue meanwhile may have
 * stored something again. The coordinator waits for all services that have registered and then publishes `user.erased`.
 *
 * Every step may be repeated, so an erasure that was interrupted continues with the next delivery of its request.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { erasedUserKey, type ErasureState } from "@armoricore/domain/ErasureState"
import type { EventOf } from "@armoricore/domain/EventRegistry"
import * as Collection from "@armoricore/state/Collection"
import { erasedUsers, erasures, erasingServices } from "@armoricore/state/ErasureStates"
import type { KeyValue, StateError } from "@armoricore/state/KeyValue"
import { Clock, Duration, Effect, Option } from "effect"
import { type Handler, type HandlerContext, on } from "../Handler.ts"
import { emit } from "../ResultMessage.ts"
import type { ErasureStore } from "./ErasureStore.ts"

export interface ErasureOptions {
  /** Publishes `user.erased` once all services are done. */
  readonly isCoordinator?: boolean
  /** Between two passes. Default 2 s. */
  readonly pause?: Duration.Duration
}

/** Registers the service and returns its handler of `user.erase_requested`. */
export const handler = Effect.fnUntraced(function* (
  service: string,
  stores: ReadonlyArray<ErasureStore>,
  { isCoordinator = false, pause = Duration.seconds(2) }: ErasureOptions = {},
): Effect.fn.Return<Handler<never>, StateError, KeyValue> {
  const progress = yield* Collection.make(erasures)
  const users = yield* Collection.make(erasedUsers)
  const services = yield* Collection.make(erasingServices)
  yield* services.put(service, { stores: stores.map(({ name }) => name) })

  const later = (dependency: string, code: string, message: string, retryAfterMillis: number) =>
    new TransientError({ dependency, code, message, retryAfterMillis, countsAsAttempt: false })

  const again = (code: string, message: string) => later(ownDependency, code, message, Duration.toMillis(pause))

  /** The reason of the attempt before: the log has each once, not with every attempt. */
  let lastReason = ""
  const logOnce = (reason: string) =>
    Effect.suspend(() => {
      if (reason === lastReason) return Effect.void
      lastReason = reason
      return Effect.logWarning(`the erasure of a user is not complete: ${reason}`, { service })
    })

  /** An erasure is never given up: a store that is away is tried again until it is back. */
  const withoutLimit = (error: TransientError) => {
    const { code, dependency, message, retryAfterMillis = 5 * Duration.toMillis(pause) } = error
    return dependency === ownDependency
      ? Effect.fail(error)
      : Effect.andThen(logOnce(message), Effect.fail(later(dependency, code, message, retryAfterMillis)))
  }

  /** The newest request counts. */
  const remember = (userId: string, requestedAt: string) =>
    users.modifyOrRetry(erasedUserKey(userId), (current) => {
      const known = Option.getOrUndefined(current)?.value.requested_at
      const isNewer = known === undefined || Date.parse(known) < Date.parse(requestedAt)
      return Effect.succeed([undefined, isNewer ? Option.some({ requested_at: requestedAt }) : Option.none()] as const)
    })

  /** After each store, so that the report counts its entries although a crash follows. Writes only what is new. */
  const record = (requestId: string, requestedAt: string, store: string, removed: number, isCleanPass: boolean) =>
    progress.modifyOrRetry(requestId, (current) => {
      const before: ErasureState = Option.getOrUndefined(current)?.value ?? { requested_at: requestedAt, services: {} }
      const own = before.services[service] ?? { removed: {}, is_clean: false }
      const is_clean = isCleanPass || (own.is_clean && removed === 0)
      if (own.removed[store] !== undefined && removed === 0 && is_clean === own.is_clean)
        return Effect.succeed([before, Option.none()] as const)
      const total = { ...own.removed, [store]: (own.removed[store] ?? 0) + removed }
      const next = { ...before, services: { ...before.services, [service]: { removed: total, is_clean } } }
      return Effect.succeed([next, Option.some(next)] as const)
    })

  const unfinishedServices = Effect.fnUntraced(function* (state: ErasureState) {
    const registered = yield* services.list({ limit: maxServices })
    return registered.map(({ key }) => key).filter((key) => state.services[key]?.is_clean !== true)
  })

  const erase = Effect.fn("Erasure.erase")(function* (
    { event_id: requestId, payload, timestamp: requestedAt }: EventOf<"user.erase_requested">,
    { publishEarly }: HandlerContext,
  ) {
    const { user_id: userId } = payload
    yield* remember(userId, requestedAt)
    let isClean = true
    let state: ErasureState | undefined
    for (const [index, store] of stores.entries()) {
      const removed = yield* store.erase({ userId, requestId, requestedAt, publish: publishEarly })
      isClean &&= removed === 0
      state = yield* record(requestId, requestedAt, store.name, removed, isClean && index === stores.length - 1)
    }
    if (state === undefined || !isClean) {
      return yield* again("erasing", `${service} has removed data of the user and looks once more`)
    }
    if (!isCoordinator) return []
    const waiting = yield* unfinishedServices(state)
    if (waiting.length > 0) {
      const message = `it waits for ${waiting.join(" and ")}; start these services`
      yield* logOnce(message)
      return yield* again("waiting", message)
    }
    const erasedAt = new Date(yield* Clock.currentTimeMillis).toISOString()
    return [emit("user.erased", { user_id: userId, removed: totals(state), erased_at: erasedAt })]
  })

  const handle = (...request: Parameters<typeof erase>) =>
    Effect.catchTag(erase(...request), "TransientError", withoutLimit)

  return on("user.erase_requested", { handle, onFailure: () => [], timeout: Duration.hours(6) })
})

/** The dependency of its own errors: work that is not complete yet. */
const ownDependency = "erasure"

/** More services than an installation has. */
const maxServices = 100

/** Stores of two services with the same name are one. */
const totals = ({ services }: ErasureState): Record<string, number> => {
  const sum: Record<string, number> = {}
  for (const { removed } of Object.values(services)) {
    for (const [name, count] of Object.entries(removed)) sum[name] = (sum[name] ?? 0) + count
  }
  return sum
}

/** Whether an event about a user is older than the user's erasure, so that its work must not be done any more. */
export const makePrecedesErasure = Effect.gen(function* () {
  const users = yield* Collection.make(erasedUsers)
  return Effect.fn("Erasure.precedesErasure")(function* (userId: string, timestamp: string) {
    const erased = Option.getOrUndefined(yield* users.get(erasedUserKey(userId)))?.value
    return erased !== undefined && Date.parse(timestamp) <= Date.parse(erased.requested_at)
  })
})
