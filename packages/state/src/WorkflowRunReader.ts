/** Lists workflow runs, newest first, by workflow, user and status. */
import type { WorkflowRun } from "@armoricore/domain/WorkflowRun"
import { Effect, Option } from "effect"
import * as Collection from "./Collection.ts"
import type { StateError } from "./KeyValue.ts"
import { listingPrefix, runListings, workflowPrefix, workflowRuns } from "./WorkflowRuns.ts"

export interface RunFilter {
  readonly workflow?: string | undefined
  readonly user_id?: string | undefined
  readonly status?: WorkflowRun["status"] | undefined
  /** The `next` of the page before. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface RunPage {
  readonly runs: ReadonlyArray<WorkflowRun>
  /** Older runs may follow. A page may be short, even empty, while it is set: a status may be rare. */
  readonly next?: string
}

/** As `next`: the age of a run in its listing, and the id. */
export const isCursor = (text: string): boolean => /^[0-9]{16}\.[^\s]{1,200}$/u.test(text)

const [pageSize, maxScanned, maxWorkflows] = [100, 2_000, 200]

interface Found {
  readonly cursor: string
  readonly run: WorkflowRun
}

export const make = Effect.gen(function* () {
  const runs = yield* Collection.make(workflowRuns)
  const listings = yield* Collection.make(runListings)

  /** Undefined: it does not exist any more. */
  const get = (id: string) => Effect.map(runs.get(id), (found) => Option.getOrUndefined(found)?.value)

  /** Workflows that have runs: the first key of each. */
  const workflowNames = Effect.gen(function* () {
    const names: Array<string> = []
    for (let after: string | undefined; names.length < maxWorkflows;) {
      const page = { prefix: workflowPrefix, limit: 1, ...(after === undefined ? {} : { after }) }
      const [first] = yield* listings.list(page)
      const name = first?.key.split(".")[1]
      if (name === undefined) return names
      names.push(name)
      // Behind every key of this workflow.
      after = `${listingPrefix.ofWorkflow(name)}~`
    }
    return names
  })

  /** The first matching runs of one listing; `end`: the last that was read, if more follow. */
  const scan = Effect.fnUntraced(function* (
    prefix: string,
    { after, limit, status, workflow }: RunFilter,
  ): Effect.fn.Return<{ readonly found: ReadonlyArray<Found>; readonly end?: string }, StateError> {
    const found: Array<Found> = []
    let key = after === undefined ? undefined : `${prefix}${after}`
    for (let scanned = 0; scanned < maxScanned && found.length < limit; scanned += pageSize) {
      const page = yield* listings.list({ prefix, limit: pageSize, ...(key === undefined ? {} : { after: key }) })
      const read = yield* Effect.forEach(page, ({ value }) => get(value.run_id), { concurrency: 16 })
      for (const [index, run] of read.entries()) {
        const cursor = page[index]?.key.slice(prefix.length)
        if (run === undefined || cursor === undefined) continue
        if ((status ?? run.status) === run.status && (workflow ?? run.workflow) === run.workflow)
          found.push({ cursor, run })
      }
      key = page.at(-1)?.key ?? key
      if (page.length < pageSize) return { found }
    }
    return { found, ...(key === undefined ? {} : { end: key.slice(prefix.length) }) }
  })

  const list = Effect.fn("WorkflowRunReader.list")(function* (
    filter: RunFilter,
  ): Effect.fn.Return<RunPage, StateError> {
    const prefixes =
      filter.user_id !== undefined
        ? [listingPrefix.ofUser(filter.user_id)]
        : (filter.workflow === undefined ? yield* workflowNames : [filter.workflow]).map(listingPrefix.ofWorkflow)
    const scans = yield* Effect.forEach(prefixes, (prefix) => scan(prefix, filter))
    // A listing that was not read to its end hides older runs.
    const [end] = scans.flatMap((one) => one.end ?? []).toSorted()
    const found = scans
      .flatMap((one) => one.found)
      .filter(({ cursor }) => end === undefined || cursor <= end)
      .toSorted((a, b) => (a.cursor < b.cursor ? -1 : 1))
    const shown = found.slice(0, filter.limit)
    const next = found.length > shown.length ? shown.at(-1)?.cursor : end
    return { runs: shown.map(({ run }) => run), ...(next === undefined ? {} : { next }) }
  })

  return { get, list, workflowNames }
})
