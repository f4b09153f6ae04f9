/**
 * The audit log: who did what, when, and how it ended. An act is written down before it is done and completed after it,
 * so that one which ended with the process shows too; each is also a line of the log, which is all that is left of it
 * while the state is away.
 *
 * Tries that were refused are kept as well, of each user (or of nobody) so many a minute, and of all together: the rest
 * is counted.
 */
import * as Collection from "@armoricore/state/Collection"
import type { KeyValue, StateError } from "@armoricore/state/KeyValue"
import { Clock, Context, Duration, Effect, Layer, Schema } from "effect"
import { AuditEntry } from "./api/AuditEntry.ts"

export interface Filter {
  readonly user_id?: string | undefined
  readonly act?: string | undefined
  readonly outcome?: AuditEntry["outcome"] | undefined
  readonly after?: string | undefined
  readonly limit: number
}

type Asked = Pick<AuditEntry, "act" | "about"> & { readonly user_id?: string }

export class Audit extends Context.Service<
  Audit,
  {
    /** Does it, and writes down that it was asked for and how it ended. */
    readonly act: <A, E extends { readonly message: string }, R>(
      asked: Asked,
      act: Effect.Effect<A, E, R>,
    ) => Effect.Effect<A, E, R>
    readonly refused: (asked: Asked, detail: string) => Effect.Effect<void>
    /** Newest first. */
    readonly list: (filter: Filter) => Effect.Effect<ReadonlyArray<AuditEntry>, StateError>
  }
>()("@armoricore/operator/Audit") {
  static readonly layer: Layer.Layer<Audit, never, KeyValue> = Layer.effect(
    Audit,
    Effect.suspend(() => make),
  )
}

export const auditEntries: Collection.Descriptor<AuditEntry, typeof AuditEntry.Encoded> = {
  bucket: { name: "audit", maxAge: Duration.days(180) },
  schema: AuditEntry,
}

/** Refusals a minute and user that are written down. */
const refusalsAMinute = 20
/** The same of all users together, who may be many. */
const refusalsOfAll = 200
/** Users whose refusals are counted. */
const remembered = 1_000
const page = 500
const longestText = 2_000

const make = Effect.gen(function* () {
  const entries = yield* Collection.make(auditEntries)
  let count = 0
  const refusals = new Map<string, { since: number; written: number; suppressed: number }>()
  let ofAll = { since: 0, written: 0, suppressed: 0 }

  const write = (entry: AuditEntry) =>
    entries.put(entry.id, entry).pipe(
      // The line of the log is there all the same.
      Effect.catch((error) => Effect.logError(`the audit log cannot be written: ${error.message}`, { entry })),
      Effect.asVoid,
    )

  const begin = Effect.fnUntraced(function* (asked: Asked, outcome: AuditEntry["outcome"]) {
    const now = yield* Clock.currentTimeMillis
    const entry: AuditEntry = {
      ...asked,
      about: shortened(asked.about),
      id: keyAt(now, count++),
      at: new Date(now).toISOString(),
      outcome,
    }
    return entry
  })

  /** How many went unwritten before this one; undefined: this one, too. */
  const admit = (user: string, now: number): number | undefined => {
    if (now - ofAll.since > 60_000) ofAll = { ...ofAll, since: now, written: 0 }
    const known = refusals.get(user)
    if (ofAll.written >= refusalsOfAll) {
      if (known === undefined) ofAll.suppressed++
      else known.suppressed++
      return undefined
    }
    if (known === undefined || now - known.since > 60_000) {
      const suppressed = (known?.suppressed ?? 0) + ofAll.suppressed
      ofAll = { ...ofAll, written: ofAll.written + 1, suppressed: 0 }
      refusals.delete(user)
      refusals.set(user, { since: now, written: 1, suppressed: 0 })
      if (refusals.size > remembered) for (const oldest of refusals.keys()) if (refusals.delete(oldest)) break
      return suppressed
    }
    if (known.written < refusalsAMinute) {
      known.written++
      ofAll.written++
      return 0
    }
    known.suppressed++
    return undefined
  }

  return Audit.of({
    act: (asked, act) =>
      Effect.gen(function* () {
        const started = yield* begin(asked, "started")
        yield* write(started)
        const told = { audit: started.id, act: asked.act, user_id: asked.user_id, about: started.about }
        return yield* act.pipe(
          Effect.tap(() =>
            Effect.andThen(write({ ...started, outcome: "done" }), Effect.logInfo("an operator acted", told)),
          ),
          Effect.tapError((error) =>
            Effect.andThen(
              write({ ...started, outcome: "failed", detail: error.message }),
              Effect.logWarning(`an operator's act failed: ${error.message}`, told),
            ),
          ),
        )
      }),
    refused: Effect.fnUntraced(function* (asked, detail) {
      const suppressed = admit(asked.user_id ?? "", yield* Clock.currentTimeMillis)
      if (suppressed === undefined) return
      const entry = yield* begin(asked, "refused")
      yield* write({ ...entry, detail, ...(suppressed === 0 ? {} : { suppressed }) })
      yield* Effect.logWarning(`refused: ${detail}`, {
        audit: entry.id,
        act: asked.act,
        ...(asked.user_id === undefined ? {} : { user_id: asked.user_id }),
      })
    }),
    list: Effect.fnUntraced(function* ({ limit, ...filter }) {
      const found: Array<AuditEntry> = []
      let after = filter.after
      while (found.length < limit) {
        const documents = yield* entries.list({ limit: page, ...(after === undefined ? {} : { after }) })
        found.push(...documents.map(({ value }) => value).filter(matches(filter)))
        after = documents.at(-1)?.key
        if (documents.length < page) break
      }
      return found.slice(0, limit)
    }),
  })
})

/** Keys are listed in their order, so the newest has the smallest. */
const endOfTime = 1e14
const keyAt = (now: number, count: number): string =>
  [
    String(endOfTime - now).padStart(15, "0"),
    String(9_999 - (count % 10_000)).padStart(4, "0"),
    crypto.randomUUID().slice(0, 4),
  ].join("-")

const matches =
  ({ act, outcome, user_id }: Omit<Filter, "limit">) =>
  (entry: AuditEntry): boolean =>
    (act === undefined || entry.act === act) &&
    (outcome === undefined || entry.outcome === outcome) &&
    (user_id === undefined || entry.user_id === user_id)

const shortened = (value: Schema.Json): Schema.Json => {
  if (typeof value === "string") return value.length <= longestText ? value : `${value.slice(0, longestText)}…`
  if (Array.isArray(value)) return value.map(shortened)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shortened(each)]))
}
