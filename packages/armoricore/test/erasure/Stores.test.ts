/**
 * Every bucket of the state, every table and every folder of the object storage has an answer to "what becomes of an erased user, or of
 * a deleted media?": the store that removes it, or the reason why it stays. A new one fails here until it has its row.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { History } from "@armoricore/history/History"
import { it as effectIt } from "@effect/vitest"
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { serviceNames } from "../../src/app/Services.ts"
import * as ErasableUser from "../support/ErasableUser.ts"
import { bucketsFor } from "../../src/security/NatsPermissions.ts"

const root = fileURLToPath(new URL("../../../..", import.meta.url))

const sources = readdirSync(join(root, "packages"))
  .flatMap((name) =>
    readdirSync(join(root, "packages", name, "src"), { recursive: true, encoding: "utf8" }).map((file) =>
      join(root, "packages", name, "src", file),
    ),
  )
  .filter((file) => file.endsWith(".ts"))
  .map((file) => readFileSync(file, "utf8"))

/** The names of the erasure stores in the code. */
const stores = new Set(
  sources.flatMap((text) => [...text.matchAll(/name: "([a-z_]+)",?\s+erase:/g)].map(([, name = ""]) => name)),
)

type Answer = { readonly store: string } | { readonly stays: string }

const buckets: Readonly<Record<string, Answer>> = {
  media: { store: "media" },
  media_chunk_outputs: { store: "media" },
  media_chunked_encodes: { store: "media" },
  media_keys: { store: "media" },
  transcripts: { store: "media" },
  resumable_uploads: { store: "uploads" },
  media_usage: { store: "quota" },
  notification: { store: "notifications" },
  delivery: { store: "notifications" },
  inbox: { store: "mailbox" },
  suppression: { store: "suppression_reasons" },
  workflow_run: { store: "workflow_runs" },
  workflow_run_list: { store: "workflow_runs" },
  realtime_user_reads: { store: "read_state" },
  realtime_room_reads: { store: "read_state" },
  room_members: { store: "memberships" },
  user_inbox: { store: "inbox" },
  user_device: { store: "devices" },
  user_preference: { store: "preferences" },
  audience: { store: "audiences" },
  reviews: { store: "reviews" },
  ledger: { store: "decisions" },
  media_deletions: { stays: "tombstones with ids and times" },
  audience_send: { store: "audience_sends" },
  audience_chunk: { store: "audience_chunks" },
  scheduled: { stays: "ids of notifications and runs; without these the work finds nothing and ends" },
  revocations: { stays: "hashes of user ids until their tokens expire" },
  erasures: { stays: "hashes of user ids, and counts" },
  erasing_services: { stays: "names of services" },
  pauses: { stays: "names of dependencies, with the operator" },
  audit: { stays: "the operators' audit log" },
}

const tables: Readonly<Record<string, Answer>> = {
  armoricore_schema: { stays: "versions of the tables" },
  armoricore_state: { stays: "the buckets above" },
  state_entry: { stays: "the buckets above" },
  state_revision: { stays: "one number" },
  armoricore_history_room: { stays: "names of rooms and numbers" },
  armoricore_history_item: { store: "messages" },
  history_room: { stays: "names of rooms and numbers" },
  history_item: { store: "messages" },
  bus_message: { store: "events" },
  bus_dead: { store: "dead_letters" },
  bus_seen: { stays: "ids of messages, for some minutes" },
  bus_seen_log: { stays: "ids of messages, for some minutes" },
  bus_consumer: { stays: "names of consumers" },
  bus_pending: { stays: "numbers of messages" },
}

const folders: Readonly<Record<string, Answer>> = {
  "captions/": { store: "media" },
  "media/": { store: "media" },
  "transcripts/": { store: "media" },
  "uploads/": { store: "uploads" },
  "work/": { store: "media" },
}

/** Texts of this form that are no folder of the bucket: folders below a version of a media, routes, keys of FCM. */
const otherPaths = new Set([
  "added/",
  "audio/",
  "doctor/",
  "message/",
  "projects/",
  "ready/",
  "subtitles/",
  "thumbnails/",
])

/** Their documents describe a running encode; the deletion of one is tested in `media`. */
const chunkBuckets = new Set(["media_chunk_outputs", "media_chunked_encodes"])
/** Closes connections and stores nothing. */
const withoutEntries = new Set(["sockets"])
const at = "2026-02-01T12:00:00Z"

const storesOf = (answers: Readonly<Record<string, Answer>>) =>
  Object.values(answers).flatMap((answer) => ("store" in answer ? [answer.store] : []))

describe("the erasure of a user", () => {
  it("has an answer for every bucket of the state", () => {
    assert.deepStrictEqual(
      bucketsFor(serviceNames)
        .map(({ name }) => name)
        .sort(),
      Object.keys(buckets).sort(),
    )
    // No bucket of the code is missing in the permissions.
    const declared = sources.flatMap((text) =>
      [...text.matchAll(/name: "([a-z_]+)", maxAge/g)].map(([, name = ""]) => name),
    )
    assert.deepStrictEqual(
      declared.filter((name) => buckets[name] === undefined),
      [],
    )
  })

  it("has an answer for every table", () => {
    const created = sources.flatMap((text) =>
      [...text.matchAll(/CREATE TABLE (?:IF NOT EXISTS )?([a-z_]+)/g)].map(([, name = ""]) => name),
    )
    assert.deepStrictEqual(
      created.filter((name) => tables[name] === undefined),
      [],
    )
  })

  it("has an answer for every folder of the object storage", () => {
    const used = sources.flatMap((text) =>
      [...text.matchAll(/[`"]((?:[a-z]+\/)+)\$\{/g)].map(([, name = ""]) => name.slice(0, name.indexOf("/") + 1)),
    )
    assert.includeMembers(used, Object.keys(folders))
    assert.deepStrictEqual(
      used.filter((name) => folders[name] === undefined && !otherPaths.has(name)),
      [],
    )
  })

  /** Passes over the stores until one finds nothing. */
  const eraseWith = Effect.fnUntraced(function* (without: string | undefined) {
    yield* ErasableUser.seed
    const all = yield* ErasableUser.stores
    const request = { userId: ErasableUser.userId, requestId: "r", requestedAt: at, publish: () => Effect.void }
    for (let removed = 1; removed > 0;) {
      removed = 0
      for (const { erase, name } of all) if (name !== without) removed += yield* erase(request)
    }
    return yield* ErasableUser.traces
  })

  effectIt.effect("has a trace of the user in every place before", () =>
    Effect.gen(function* () {
      yield* ErasableUser.seed
      const before = yield* ErasableUser.traces
      const expected = [...Object.entries(buckets), ...Object.entries(folders)].flatMap(([name, answer]) =>
        "store" in answer && !chunkBuckets.has(name) ? [name] : [],
      )
      assert.includeMembers([...before], [...expected, "dead_letters", "events", "history"])
    }).pipe(Effect.provide(ErasableUser.layer)),
  )

  effectIt.effect("leaves no trace, and the messages of others", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual([...(yield* eraseWith(undefined))], [])
      const left = yield* (yield* History).read("chat:room:a", { limit: 10 })
      assert.include(
        left.items.map(({ id }) => id),
        "1",
      )
    }).pipe(Effect.provide(ErasableUser.layer)),
  )

  // A store that is missing in the list of its service leaves something.
  for (const name of [...stores].sort()) {
    if (withoutEntries.has(name)) continue
    effectIt.effect(`leaves a trace without the store ${name}`, () =>
      Effect.gen(function* () {
        assert.isNotEmpty([...(yield* eraseWith(name))])
      }).pipe(Effect.provide(ErasableUser.layer)),
    )
  }

  it("names stores that exist and that the documentation lists", () => {
    const documentation = readFileSync(join(root, "docs/erasure.md"), "utf8")
    const named = [...new Set([buckets, tables, folders].flatMap(storesOf))]
    for (const store of named) assert.isTrue(stores.has(store), store)
    for (const store of stores) assert.include(documentation, `\`${store}\``)
  })
})
