/**
 * Ends runs before their last step. A request that is part of a digest leaves it, before and after the digest closes; the run of the
 * digest ends when no request is left in it.
 */
import { isOpenRun, type WorkflowRun } from "@armoricore/domain/WorkflowRun"
import * as Collection from "@armoricore/state/Collection"
import { listingPrefix, runListings, workflowRuns } from "@armoricore/state/WorkflowRuns"
import type { HandlerError } from "@armoricore/worker/Handler"
import { Clock, Effect, Equal, Option, type Schema } from "effect"
import * as DeliveryAttempts from "../delivery/DeliveryAttempts.ts"
import { valueAt } from "./Conditions.ts"
import type { Digests } from "./Digests.ts"

/** The runs that a cancellation by workflow means. */
export interface RunSelection {
  readonly workflow: string
  readonly userId: string
  /** Values of `context` or `data`, by their paths. */
  readonly context: Readonly<Record<string, Schema.Json>>
  /** Later runs continue, epoch milliseconds. */
  readonly until: number
}

/** What the last step of a run began may wait so long: for the end of quiet hours, for a mail server, for a provider. */
const maxSendMillis = 2 * 86_400_000

interface Dependencies {
  readonly digests: Digests
  /** Cancels the notification of a step, later and by a cause of its own. */
  readonly cancelNotification: (id: string) => Effect.Effect<void, HandlerError>
}

export const make = ({ cancelNotification, digests }: Dependencies) =>
  Effect.gen(function* () {
    const runs = yield* Collection.make(workflowRuns)
    const listings = yield* Collection.make(runListings)

    const get = (id: string) => Effect.map(runs.get(id), (found) => Option.getOrUndefined(found)?.value)

    /** Returns the run after the change. */
    const change = Effect.fnUntraced(function* (id: string, next: (run: WorkflowRun) => WorkflowRun | undefined) {
      const updated_at = new Date(yield* Clock.currentTimeMillis).toISOString()
      return yield* runs.modifyOrRetry(id, (found) =>
        Effect.sync((): Collection.Decision<WorkflowRun, WorkflowRun | undefined> => {
          const stored = Option.getOrUndefined(found)?.value
          const changed = stored === undefined ? undefined : next(stored)
          if (changed === undefined) return [stored, Option.none()]
          const dated = { ...changed, updated_at }
          return [dated, Option.some(dated)]
        }),
      )
    })

    const end = (run: WorkflowRun): WorkflowRun | undefined =>
      isOpenRun(run) || run.status === "digested" ? { ...run, status: "cancelled" } : undefined

    const cancelSent = (run: WorkflowRun) =>
      Effect.forEach(Object.values(run.sent), cancelNotification, { discard: true })

    /** Takes the request out of the run of a digest that has closed. */
    const leaveRun = Effect.fnUntraced(function* (leader: string, id: string) {
      const after = yield* change(leader, (run) => {
        const digest = run.digest?.filter(({ run_id }) => run_id !== id)
        if (digest === undefined || digest.length === run.digest?.length || !isOpenRun(run)) return undefined
        return digest.length === 0 ? { ...run, digest, status: "cancelled" } : { ...run, digest }
      })
      if (after?.status === "cancelled") yield* cancelSent(after)
    })

    const cancelRun = Effect.fnUntraced(function* (run: WorkflowRun): Effect.fn.Return<void, HandlerError> {
      const { digest_key: key, digest_leader: leader, run_id } = run
      const departure = key === undefined || run.digest !== undefined ? "absent" : yield* digests.leave(run, key)
      if (departure === "closing")
        return yield* DeliveryAttempts.snooze("digest_closes", "the digest of the run is being closed", 1_000)
      if (departure === "leading") return
      if (run.status !== "digested" && run.digest !== undefined) return yield* leaveRun(run_id, run_id)
      if (run.status === "digested" && departure === "absent" && leader !== undefined) yield* leaveRun(leader, run_id)
      const ended = yield* change(run_id, end)
      if (departure === "last" && key !== undefined) yield* digests.remove(run, key)
      if (ended !== undefined) yield* cancelSent(ended)
    })

    /** False: there is no such run. */
    const cancel = Effect.fnUntraced(function* (id: string): Effect.fn.Return<boolean, HandlerError> {
      const found = yield* get(id)
      if (found === undefined) return false
      yield* cancelRun(found)
      return true
    })

    /** False: the user has no such run. */
    const cancelMatching = Effect.fnUntraced(function* ({
      context,
      until,
      userId,
      workflow,
    }: RunSelection): Effect.fn.Return<boolean, HandlerError> {
      const now = yield* Clock.currentTimeMillis
      const mayStillSend = (run: WorkflowRun): boolean =>
        end(run) !== undefined || (run.status === "done" && now - Date.parse(run.updated_at) < maxSendMillis)
      const isMeant = (run: WorkflowRun): boolean =>
        run.workflow === workflow &&
        mayStillSend(run) &&
        Date.parse(run.started_at) <= until &&
        Object.entries(context).every(([path, value]) => Equal.equals(valueAt(run.content, path), value))
      let isFound = false
      yield* Collection.forEach(
        listings,
        ({ value }) =>
          Effect.flatMap(get(value.run_id), (run) => {
            if (run === undefined || !isMeant(run)) return Effect.void
            isFound = true
            return cancelRun(run)
          }),
        listingPrefix.ofUser(userId),
      )
      return isFound
    })

    /**
     * For a run that was cancelled while it joined a digest. True: other requests joined it already, so the run continues for them,
     * until `wake_at`.
     */
    const leaveDigest = Effect.fnUntraced(function* (run: WorkflowRun, wake_at: number) {
      const { digest_key: key = "" } = run
      const departure = yield* digests.leave(run, key)
      if (departure === "last") yield* digests.remove(run, key)
      if (departure !== "leading") return false
      yield* change(run.run_id, (stored) =>
        stored.status === "cancelled" ? { ...stored, status: "running", wake_at } : undefined,
      )
      return true
    })

    return { cancel, cancelMatching, leaveDigest }
  })
