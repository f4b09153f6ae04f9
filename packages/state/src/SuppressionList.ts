/**
 * The suppression list of e-mail: addresses that bounced or complained, readers who unsubscribed from a category, and
 * addresses that an operator added. Each entry has its reason, its dates and its evidence.
 *
 * The list stores the SHA-256 of the address in lower case with its domain in ASCII, so it contains no addresses. An address is found by its hash.
 */
import { PermanentError } from "@armoricore/domain/Errors"
import { Clock, Context, Effect, Layer, Option, Stream } from "effect"
import { type Entry, type Reason, reasons, type Suppression } from "@armoricore/domain/Suppression"
import { hash } from "node:crypto"
import { domainToASCII } from "node:url"
import * as Collection from "./Collection.ts"
import type { KeyValue, StateError } from "./KeyValue.ts"
import { suppressions } from "./NotificationStates.ts"

export { Entry, Reason, reasons } from "@armoricore/domain/Suppression"

/** The address as text or as its hash, and optionally a category. */
export interface Subject {
  readonly address?: string | undefined
  readonly hash?: string | undefined
  readonly category?: string | undefined
}

export interface Query {
  readonly reason?: Reason | undefined
  readonly address?: string | undefined
  readonly hash?: string | undefined
  /** The cursor of an earlier page. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface ListPage {
  readonly entries: ReadonlyArray<Entry>
  /** The cursor of the next page; absent: this is the last page. */
  readonly next?: string
}

export interface Addition {
  readonly reason: Reason
  /** Where the reason comes from: `smtp`, `ses`, `sendgrid`, `reader`, the user id of an operator. */
  readonly source?: string | undefined
  /** The reply or the report as the source wrote it; cut to 500 characters. */
  readonly evidence?: string | undefined
  /** The delivery that led to it. */
  readonly delivery_id?: string | undefined
}

export class SuppressionList extends Context.Service<
  SuppressionList,
  {
    /** Ascending by hash. `PermanentError` codes `invalid_address`, `invalid_cursor`. */
    readonly list: (query: Query) => Effect.Effect<ListPage, StateError | PermanentError>
    readonly get: (hash: string, category?: string) => Effect.Effect<Option.Option<Entry>, StateError>
    /**
     * Adds or updates an entry and returns it. The first date of an entry is preserved, and a reason with less weight
     * does not replace it. `PermanentError` codes `invalid_address`, `invalid_category`.
     */
    readonly add: (subject: Subject, addition: Addition) => Effect.Effect<Entry, StateError | PermanentError>
    /** Returns false if there is no such entry. `PermanentError` code `invalid_address`, `invalid_category`. */
    readonly remove: (subject: Subject) => Effect.Effect<boolean, StateError | PermanentError>
  }
>()("@armoricore/state/SuppressionList") {
  static readonly layer: Layer.Layer<SuppressionList, never, KeyValue> = Layer.effect(
    SuppressionList,
    Effect.suspend(() => make),
  )
}

/** One spelling of an address: lower case, and the domain in its ASCII form. */
export const canonicalAddress = (address: string): string => {
  const text = address.trim().toLowerCase()
  if (/^[\x20-\x7e]*$/.test(text)) return text
  const at = text.lastIndexOf("@")
  const domain = domainToASCII(text.slice(at + 1))
  return domain === "" ? text : `${text.slice(0, at)}@${domain}`
}

export const hashOfAddress = (address: string): string => hash("sha256", canonicalAddress(address))

const maxEvidenceLength = 500
const pageSize = 500
const prefix = "email."

const make = Effect.gen(function* () {
  const documents = yield* Collection.make(suppressions)

  const add = Effect.fn("SuppressionList.add")(function* (subject: Subject, addition: Addition) {
    const { category, hash } = yield* resolve(subject)
    const now = yield* Clock.currentTimeMillis
    const value = yield* documents.modifyOrRetry(keyOf(hash, category), (found) =>
      Effect.sync(() => {
        const before = Option.getOrUndefined(found)?.value
        const next = before === undefined ? { ...valueOf(addition), since: now } : merged(before, addition, now)
        return [next, Option.some(next)] as const
      }),
    )
    return entryOf(keyOf(hash, category), value)
  })

  const list = Effect.fn("SuppressionList.list")(function* ({ after, limit, reason, ...subject }: Query) {
    if (after !== undefined && !cursorPattern.test(after)) {
      return yield* new PermanentError({
        code: "invalid_cursor",
        message: "after is not a cursor; use the field next of the previous page",
      })
    }
    const isOne = subject.address !== undefined || subject.hash !== undefined
    const listed = isOne ? keyOf((yield* resolve(subject)).hash) : prefix
    const entries: Array<Entry> = []
    let cursor = after === undefined ? undefined : `${prefix}${after}`
    while (true) {
      const page = yield* documents.list({
        prefix: listed,
        limit: pageSize,
        ...(cursor === undefined ? {} : { after: cursor }),
      })
      for (const { key, value } of page) {
        if (reason !== undefined && value.reason !== reason) continue
        // One more entry fits no page, so there is a next one.
        if (entries.length === limit) return { entries, next: cursorOf(entries.at(-1)) }
        entries.push(entryOf(key, value))
      }
      if (page.length < pageSize) return { entries }
      cursor = page.at(-1)?.key
    }
  })

  return SuppressionList.of({
    list,
    get: (hash, category) =>
      Effect.map(
        documents.get(keyOf(hash, category)),
        Option.map(({ key, value }) => entryOf(key, value)),
      ),
    add,
    remove: Effect.fn("SuppressionList.remove")(function* (subject: Subject) {
      const { category, hash } = yield* resolve(subject)
      const key = keyOf(hash, category)
      const found = yield* documents.get(key)
      yield* Collection.retryConflicts(documents.remove(key))
      return Option.isSome(found)
    }),
  })
})

/**
 * For the erasure of a user: removes what the entries of an address quote, which is the reply or report and the delivery. The
 * address stays suppressed. Returns the number of changed entries.
 */
export const makeForgetEvidence = Effect.map(Collection.make(suppressions), (documents) =>
  Effect.fn("SuppressionList.forgetEvidence")(function* (address: string): Effect.fn.Return<number, StateError> {
    const entries = yield* documents.list({ prefix: keyOf(hashOfAddress(address)), limit: pageSize })
    const quoting = entries.filter(({ value }) => value.evidence !== undefined || value.delivery_id !== undefined)
    for (const { key } of quoting) {
      yield* documents.modifyOrRetry<void>(key, (found) =>
        Effect.succeed([undefined, Option.map(found, ({ value }) => withoutEvidence(value))] as const),
      )
    }
    return quoting.length
  }),
)

const resolve = ({ address, category, hash }: Subject) => {
  if (category !== undefined && !/^[a-z0-9_-]{1,64}$/.test(category)) {
    return Effect.fail(
      new PermanentError({
        code: "invalid_category",
        message: `the category ${JSON.stringify(category)} must have 1 to 64 characters of a-z, 0-9, _ and -`,
      }),
    )
  }
  if (hash !== undefined && address === undefined) {
    return /^[0-9a-f]{64}$/.test(hash)
      ? Effect.succeed({ hash, category })
      : invalid("hash must be the SHA-256 of the address in lower case, 64 hex digits")
  }
  if (address === undefined || hash !== undefined) return invalid("set either address or hash")
  const isAddress = /^[^\s@]+@[^\s@]+$/.test(address.trim())
  return isAddress
    ? Effect.succeed({ hash: hashOfAddress(address), category })
    : invalid(`${JSON.stringify(address)} is not an e-mail address; use the form name@example.com`)
}

const invalid = (message: string) => Effect.fail(new PermanentError({ code: "invalid_address", message }))

const weightOf = (reason: string): number => reasons.findIndex((known) => known === reason)

const valueOf = ({ delivery_id, evidence, reason, source }: Addition): Omit<Suppression, "since"> => ({
  reason,
  ...(source === undefined ? {} : { source }),
  ...(evidence === undefined || evidence === "" ? {} : { evidence: evidence.slice(0, maxEvidenceLength) }),
  ...(delivery_id === undefined ? {} : { delivery_id }),
})

const withoutEvidence = (value: Suppression): Suppression => {
  const { delivery_id: _, evidence: __, ...rest } = value
  return rest
}

const merged = (before: Suppression, addition: Addition, now: number): Suppression =>
  weightOf(addition.reason) < weightOf(before.reason)
    ? { ...before, last_at: now }
    : { ...valueOf(addition), since: before.since, last_at: now }

const keyOf = (hash: string, category?: string): string =>
  category === undefined ? `${prefix}${hash}` : `${prefix}${hash}.${category}`

/** Keys of other documents in the bucket have another prefix. */
const cursorPattern = /^[0-9a-f]{64}(\.[a-z0-9_-]{1,64})?$/

const cursorOf = (entry: Entry | undefined): string =>
  entry === undefined ? "" : keyOf(entry.hash, entry.category).slice(prefix.length)

const entryOf = (key: string, value: Suppression): Entry => {
  const [hash = "", category] = key.slice(prefix.length).split(".")
  return { hash, ...(category === undefined ? {} : { category }), ...value }
}

/** One line of an export, without its line break. A spreadsheet must not read a cell as a formula. */
export const csvHeader = "hash,category,reason,since,last_at,source,delivery_id,evidence"
export const csvLineOf = ({ category, delivery_id, evidence, hash, last_at, reason, since, source }: Entry): string =>
  [hash, category, reason, timeOf(since), timeOf(last_at), source, delivery_id, evidence].map(cellOf).join(",")

/** The whole list as CSV, one line per element. It is read page by page, so it may have any length. */
export const exportCsv = (list: SuppressionList["Service"]): Stream.Stream<string, StateError | PermanentError> =>
  Stream.concat(
    Stream.succeed(`${csvHeader}\r\n`),
    Stream.paginate(Option.none<string>(), (after) =>
      Effect.map(
        list.list({ limit: pageSize, after: Option.getOrUndefined(after) }),
        ({ entries, next }) =>
          [
            entries.map((entry) => `${csvLineOf(entry)}\r\n`),
            next === undefined ? Option.none() : Option.some(Option.some(next)),
          ] as const,
      ),
    ),
  )

const timeOf = (millis: number | undefined): string => (millis === undefined ? "" : new Date(millis).toISOString())

const cellOf = (text = ""): string => {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain
}
