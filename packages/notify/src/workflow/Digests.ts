/**
 * Digests: requests of one workflow for one user with the same key, within a window, become one. The run of the first request
 * waits until the window ends and takes all items; the other runs end.
 */
import { sha256 } from "@armoricore/domain/DeterministicId"
import type { Digest, DigestItem, WorkflowRun } from "@armoricore/domain/WorkflowRun"
import * as Collection from "@armoricore/state/Collection"
import { digests } from "@armoricore/state/WorkflowRuns"
import { Effect, Option } from "effect"
import * as DeliveryAttempts from "../delivery/DeliveryAttempts.ts"
import { valueAt } from "./Conditions.ts"

/** `key`: the path of a field in `context` or `data`. */
export const keyOf = (run: WorkflowRun, key: string | undefined): string => {
  const value = key === undefined ? "" : JSON.stringify(valueAt(run.content, key) ?? null)
  return `digest.${sha256(JSON.stringify([run.workflow, run.user_id, run.position, value]))}`
}

const itemOf = ({ content: { actor, body, context, data, title }, run_id }: WorkflowRun): DigestItem => ({
  run_id,
  title,
  body,
  data,
  context,
  ...(actor === undefined ? {} : { actor }),
})

/** An open digest takes so many requests; further ones begin another. */
const maxItems = 100

export const make = Effect.map(Collection.make(digests), (documents) => ({
  /** Returns the run that continues. A repetition changes nothing. */
  join: Effect.fnUntraced(function* (run: WorkflowRun, key: string, now: number, millis: number) {
    const leader = yield* documents.modifyOrRetry(key, (found) =>
      Effect.sync((): Collection.Decision<Digest, Digest | undefined> => {
        const open = Option.getOrUndefined(found)?.value
        if (open !== undefined && open.items.some(({ run_id }) => run_id === run.run_id)) return [open, Option.none()]
        if (open !== undefined && (open.closed === true || now >= open.closes_at || open.items.length >= maxItems))
          return [undefined, Option.none()]
        const next: Digest =
          open === undefined
            ? { run_id: run.run_id, closes_at: now + millis, items: [itemOf(run)] }
            : { ...open, items: [...open.items, itemOf(run)] }
        return [next, Option.some(next)]
      }),
    )
    return leader ?? (yield* DeliveryAttempts.snooze("digest_closes", "the digest before it is being closed", 1_000))
  }),
  /** Nothing joins the digest any more; returns its items. A repetition returns the same ones. */
  close: (run: WorkflowRun, key: string) =>
    documents.modifyOrRetry(key, (found) =>
      Effect.sync((): Collection.Decision<Digest, ReadonlyArray<DigestItem>> => {
        const open = Option.getOrUndefined(found)?.value
        if (open === undefined || open.run_id !== run.run_id) return [run.digest ?? [], Option.none()]
        return [open.items, open.closed === true ? Option.none() : Option.some({ ...open, closed: true })]
      }),
    ),
  /** The items are stored in the run. */
  remove: Effect.fnUntraced(function* (run: WorkflowRun, key: string) {
    const found = Option.getOrUndefined(yield* documents.get(key))
    if (found?.value.run_id !== run.run_id) return
    yield* Effect.catchTag(documents.remove(key, found.revision), "Conflict", () => Effect.void)
  }),
  /** Takes the request of a run out of an open digest. An empty digest is closed at once: no request joins it any more. */
  leave: (run: WorkflowRun, key: string) =>
    documents.modifyOrRetry(key, (found) =>
      Effect.sync((): Collection.Decision<Digest, Departure> => {
        const open = Option.getOrUndefined(found)?.value
        if (open === undefined) return ["absent", Option.none()]
        const isLeader = open.run_id === run.run_id
        const items = open.items.filter(({ run_id }) => run_id !== run.run_id)
        const isMember = items.length < open.items.length
        if (!isLeader && !isMember) return ["absent", Option.none()]
        if (items.length === 0 && isLeader)
          return open.closed === true && isMember
            ? ["closing", Option.none()]
            : ["last", Option.some({ ...open, items, closed: true })]
        if (open.closed === true) return ["closing", Option.none()]
        return [isLeader ? "leading" : "left", isMember ? Option.some({ ...open, items }) : Option.none()]
      }),
    ),
}))

/**
 * `absent`: the digest has not the request. `left`: it goes on for other requests. `leading`: as `left`, and the run itself goes on
 * for them. `last`: it was the run's own digest, and is empty now. `closing`: the run of the digest takes its requests just now.
 */
export type Departure = "absent" | "left" | "leading" | "last" | "closing"
export type Digests = Effect.Success<typeof make>
