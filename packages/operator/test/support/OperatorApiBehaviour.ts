/** The behaviour of the operator API over every transport. */
import { event, work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { History } from "@armoricore/history/History"
import { OperatorApi } from "@armoricore/operator"
import type { LiveLine } from "@armoricore/operator/api/LiveLine"
import { Audited } from "@armoricore/operator/OperatorApi"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { notificationStates } from "@armoricore/state/NotificationStates"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { on } from "@armoricore/worker/Handler"
import { Ledger } from "@armoricore/worker/ledger/Ledger"
import * as Worker from "@armoricore/worker/Worker"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, type Layer, Logger, type Scope, Stream } from "effect"
import { api, withToken, type inMemory, RecordedActions, RecordedLog, tokenFor } from "./OperatorHarness.ts"

type Client = Effect.Success<typeof inMemory>
type Provided = Layer.Success<typeof api> | Scope.Scope

const uploadedEvent = (mediaId: string, extra: object = {}) => ({
  event_type: "media.uploaded",
  event_id: crypto.randomUUID(),
  timestamp: new Date().toISOString(),
  source: "php-backend",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  payload: { media_id: mediaId, user_id: "ada", file_path: "s3://media/a.mp4" },
  ...extra,
})
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

const publish = Effect.fnUntraced(function* (value: { readonly event_type: string; readonly event_id: string }) {
  const bus = yield* EventBus
  const headers = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" }
  yield* bus.publish({ address: event(value.event_type), id: value.event_id, body: bytes(value), headers })
})

/** Waits for real work on the other side of the bus. */
const until = <A, E, R>(effect: Effect.Effect<A, E, R>, wanted: (value: A) => boolean): Effect.Effect<A, E, R> =>
  Effect.flatMap(effect, (value) =>
    wanted(value)
      ? Effect.succeed(value)
      : Effect.delay(
          Effect.suspend(() => until(effect, wanted)),
          10,
        ),
  )

/** Payloads that are well formed, of every procedure. */
const validPayloads: Readonly<Record<string, unknown>> = {
  ListJobs: {},
  WatchJobs: {},
  GetJob: { media_id: "m" },
  CancelJob: { media_id: "m" },
  RetryJob: { media_id: "m" },
  ListDeadLetters: {},
  SearchDeadLetters: {},
  SelectDeadLetters: {},
  GetDeadLetter: { id: "1" },
  ReplayDeadLetter: { id: "1" },
  DiscardDeadLetter: { id: "1" },
  GetMedia: { media_id: "m" },
  GetUser: { user_id: "ada" },
  ListRooms: {},
  ListSockets: {},
  Kick: { user_id: "ada", reason: "" },
  Ban: { user_id: "ada", reason: "" },
  PauseCircuit: { name: "provider:fcm", reason: "" },
  ResumeCircuit: { name: "provider:fcm" },
  ListSuppressions: {},
  AddSuppression: { address: "anna@example.org" },
  RemoveSuppression: { address: "anna@example.org" },
  ListReviews: {},
  ApproveReview: { review_id: "r" },
  RemoveReview: { review_id: "r" },
  DecideReviews: { review_ids: ["r"], decision: "approve" },
  SetLogLevel: { level: "debug" },
  WatchLive: {},
  ListAudit: {},
}

export const behaviour = (name: string, open: Effect.Effect<unknown, unknown, Provided>): void => {
  // Clients differ in the errors of their transport alone, which no test meets.
  const connected = open as Effect.Effect<Client, never, Provided>
  const test = (title: string, run: (client: Client) => Effect.Effect<void, unknown, Provided>) =>
    it.live(title, () =>
      Effect.flatMap(connected, run).pipe(Effect.scoped, Effect.provide(api), Effect.provide(Logger.layer([]))),
    )

  describe(name, () => {
    test("refuses each procedure without the role, and records it", (client) =>
      Effect.gen(function* () {
        const plain = yield* tokenFor("eve", { roles: ["publisher"] })
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
        const tags = [...OperatorApi.requests.keys()]
        for (const [index, tag] of tags.entries()) {
          // The table of the API has them all; TypeScript cannot follow the name to its payload.
          const call = Reflect.get(client, tag) as (payload: unknown) => Effect.Effect<unknown, unknown>
          const isStream = tag.startsWith("Watch")
          const result: unknown = call(validPayloads[tag])
          const running = isStream
            ? Stream.runHead(result as Stream.Stream<unknown>)
            : (result as Effect.Effect<unknown>)
          // Each user has an allowance of refusals that are written.
          const token = index < 15 ? plain : yield* tokenFor("mallory", { roles: ["guest"] })
          const refusal = yield* Effect.flip(withToken(token)(running as Effect.Effect<unknown, { reason: string }>))
          assert.strictEqual(refusal.reason, "role_missing", tag)
        }
        const log = yield* op(client.ListAudit({ outcome: "refused" }))
        assert.deepStrictEqual(log.map(({ action }) => action).sort(), [...tags].sort())
        assert.includeMembers(
          log.map(({ user_id }) => user_id),
          ["eve", "mallory"],
        )
        assert.deepStrictEqual((yield* RecordedActions).kicked, [])
      }))

    test("refuses a missing, an invalid and a revoked token, each with its reason", (client) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(client.WhoAmI())).reason, "missing")
        assert.strictEqual((yield* Effect.flip(withToken("x.y.z")(client.WhoAmI()))).reason, "invalid")
        const other = withToken(yield* tokenFor("op2", { roles: ["operator"] }))
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
        assert.strictEqual((yield* op(client.WhoAmI())).user_id, "op")
        yield* op(client.Ban({ user_id: "op2", reason: "left us" }))
        assert.strictEqual((yield* Effect.flip(other(client.WhoAmI()))).reason, "revoked")
        const [newest] = yield* op(client.ListAudit({ action: "WhoAmI" }))
        assert.deepInclude(newest, { outcome: "refused", user_id: "op2" })
      }))

    test("counts repeated refusals instead of recording each", (client) =>
      Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
        yield* Effect.forEach(Array.from({ length: 60 }), () => Effect.flip(client.WhoAmI()), { discard: true })
        assert.strictEqual((yield* op(client.ListAudit({ outcome: "refused", limit: 1000 }))).length, 20)
      }))

    test("records each action with its user, its target and its result", (client) =>
      Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
        yield* op(client.Kick({ user_id: "ada", reason: "spam" }))
        yield* Effect.flip(op(client.ReplayDeadLetter({ id: "99" })))
        yield* op(client.ListRooms({}))
        const log = yield* op(client.ListAudit({}))
        assert.deepStrictEqual(
          log.map(({ payload, action, outcome, user_id }) => ({ payload, action, outcome, user_id })),
          [
            { action: "ReplayDeadLetter", payload: { id: "99" }, outcome: "failed", user_id: "op" },
            { action: "Kick", payload: { user_id: "ada", reason: "spam" }, outcome: "done", user_id: "op" },
          ],
        )
        assert.deepStrictEqual((yield* RecordedActions).kicked, ["ada: spam"])
        for (const rpc of OperatorApi.requests.values()) {
          assert.strictEqual(
            Context.get(rpc.annotations, Audited),
            /^(Cancel|Retry|Replay|Discard|Kick|Ban|Pause|Resume|Add|Approve|Remove|Decide|Set)/.test(rpc._tag),
            rpc._tag,
          )
        }
      }))

    test("adds, finds and removes a suppression", (client) =>
      Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
        const address = "anna@example.org"
        const added = yield* op(client.AddSuppression({ address, note: "asked by phone" }))
        assert.deepInclude(added, { reason: "manual", source: "op", evidence: "asked by phone" })
        assert.deepStrictEqual((yield* op(client.ListSuppressions({ address }))).entries, [added])
        yield* op(client.RemoveSuppression({ hash: added.hash }))
        assert.isEmpty((yield* op(client.ListSuppressions({}))).entries)
        const missing = yield* Effect.flip(op(client.RemoveSuppression({ address })))
        assert.deepInclude(missing, { _tag: "ActionRejected", code: "not_found" })
        const wrong = yield* Effect.flip(op(client.AddSuppression({ address: "anna" })))
        assert.deepInclude(wrong, { _tag: "ActionRejected", code: "invalid_address" })
      }))

    test("shows a dead letter, replays it edited, and discards another one", (client) =>
      Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
        const handled: Array<string> = []
        yield* Worker.run("media", [
          on("media.uploaded", {
            handle: ({ payload }) => Effect.sync(() => (handled.push(payload.media_id), [])),
            onFailure: () => [],
          }),
        ])
        const broken = uploadedEvent("m1")
        yield* publish({ ...broken, payload: { ...broken.payload, user_id: "" } } as never)
        yield* publish({ ...uploadedEvent("m2"), payload: {} } as never)
        const letters = yield* until(op(client.ListDeadLetters({})), ({ length }) => length === 2)
        const [letter, other] = letters
        assert.deepInclude(letter, { service: "media", reason: "invalid", path: "payload.user_id" })
        assert.strictEqual(letter?.trace_id, "0af7651916cd43dd8448eb211c80319c")
        const id = letter?.id ?? ""
        const { body } = yield* op(client.GetDeadLetter({ id }))
        const refusal = yield* Effect.flip(op(client.ReplayDeadLetter({ id, body: "{" })))
        assert.deepInclude(refusal, { _tag: "ActionRejected", code: "undecodable" })
        yield* op(client.ReplayDeadLetter({ id, body: body.replace('"user_id":""', '"user_id":"ada"') }))
        yield* until(
          Effect.sync(() => handled),
          ({ length }) => length === 1,
        )
        assert.deepStrictEqual(handled, ["m1"])
        yield* op(client.DiscardDeadLetter({ id: other?.id ?? "" }))
        assert.deepStrictEqual(yield* op(client.ListDeadLetters({})), [])
        const gone = yield* Effect.flip(op(client.GetDeadLetter({ id })))
        assert.deepInclude(gone, { _tag: "ActionRejected", code: "not_found" })
      }))

    test("searches dead letters newest first, counts them, and groups them by cause", (client) =>
      Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
        yield* Worker.run("media", [on("media.uploaded", { handle: () => Effect.succeed([]), onFailure: () => [] })])
        for (const at of [1, 2, 3]) {
          const { payload, ...envelope } = uploadedEvent(`film-${at}`)
          yield* publish({ ...envelope, payload: { ...payload, user_id: "" } } as never)
        }
        const foreign = { ...uploadedEvent("film-4"), source: "shop" }
        yield* publish(foreign)
        const bus = yield* EventBus
        const text = new TextEncoder().encode("no JSON")
        yield* bus.publish({ address: event("media.uploaded"), id: "raw", body: text })
        const search = (request: Parameters<typeof client.SearchDeadLetters>[0]) =>
          op(client.SearchDeadLetters(request))
        const all = yield* until(search({}), ({ total }) => total === 5)
        const ids = all.letters.map(({ id }) => Number(id))
        assert.deepStrictEqual(
          ids,
          ids.toSorted((a, b) => b - a),
        )
        // The body of the newest is not JSON; its type is that of the subject.
        assert.deepInclude(all.letters[0], { event_type: "media.uploaded", reason: "undecodable" })
        assert.deepStrictEqual(
          all.causes.map(({ count, reason }) => [reason, count]).sort(),
          [
            ["invalid", 3],
            ["unauthorized", 1],
            ["undecodable", 1],
          ].sort(),
        )
        const [cause] = all.causes
        assert.deepInclude(cause, { service: "media", reason: "invalid", path: "payload.user_id" })
        assert.deepStrictEqual(
          [all.reasons, all.types],
          [["invalid", "unauthorized", "undecodable"], ["media.uploaded"]],
        )

        const second = yield* search({ offset: 1, limit: 2 })
        assert.deepStrictEqual([second.matching, second.letters.length], [5, 2])
        assert.strictEqual((yield* search({ query: "FILM-2 user_id" })).matching, 1)
        const ofCause = yield* search({ cause: cause?.cause ?? "" })
        assert.deepStrictEqual([ofCause.matching, ofCause.total, ofCause.causes.length], [3, 5, 3])
        const selected = yield* op(client.SelectDeadLetters({ cause: cause?.cause ?? "" }))
        assert.deepStrictEqual(selected.ids, ofCause.letters.map(({ id }) => id).toReversed())

        yield* op(client.DiscardDeadLetter({ id: selected.ids[0] ?? "" }))
        assert.strictEqual((yield* search({})).total, 4)
        // Another process discards one: a page that contains it leaves it out.
        yield* bus.deadLetters.remove(selected.ids[1] ?? "")
        assert.strictEqual((yield* search({ query: "film" })).letters.length, 2)
        assert.strictEqual((yield* search({})).total, 3)
      }))

    test("lists, watches, cancels and retries jobs", (client) =>
      Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
        const states = yield* Collection.make(mediaStates)
        const state = {
          media_id: "m1",
          user_id: "ada",
          status: "processing",
          stage: "transcoding",
          percent: 40,
          source_event_id: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
          generations: {},
          attempts: [],
          renditions: [],
          timings: {},
          updated_at: "2026-01-01T00:00:00.000Z",
        } as const
        yield* states.put("m1", state)
        const heard: Array<string> = []
        const bus = yield* EventBus
        yield* Effect.forEach(["control", "retry"], (kind) =>
          bus.consume(
            { name: `test-${kind}`, from: { channel: "work", service: "media", kind }, concurrency: 1 },
            ({ body }) =>
              Effect.sync(() => {
                heard.push(`${kind} ${JSON.stringify(JSON.parse(new TextDecoder().decode(body)).payload)}`)
                return { _tag: "Ack" }
              }),
          ),
        )
        assert.deepInclude((yield* op(client.ListJobs({})))[0], { media_id: "m1", stage: "transcoding", percent: 40 })
        assert.deepStrictEqual(yield* op(client.ListJobs({ status: "failed" })), [])
        const watched: Array<ReadonlyArray<string>> = []
        yield* Effect.forkScoped(
          op(
            Stream.runForEach(client.WatchJobs({}), (jobs) =>
              Effect.sync(() => void watched.push(jobs.map(({ media_id, stage }) => `${media_id} ${stage}`))),
            ),
          ),
        )
        yield* until(
          Effect.sync(() => watched),
          ({ length }) => length > 0,
        )
        yield* publish(uploadedEvent("m2"))
        yield* until(
          Effect.sync(() => watched),
          (all) => all.some(([newest]) => newest === "m2 queued"),
        )
        assert.strictEqual(
          (yield* op(client.ListJobs({ query: "m2" })))[0]?.trace_id,
          "0af7651916cd43dd8448eb211c80319c",
        )

        yield* op(client.CancelJob({ media_id: "m1" }))
        const early = yield* Effect.flip(op(client.RetryJob({ media_id: "m1" })))
        assert.deepInclude(early, { code: "not_failed" })
        const upload = { media_id: "m1", user_id: "ada", file_path: "s3://media/a.mp4" }
        yield* states.put("m1", { ...state, status: "failed", upload })
        assert.deepInclude(yield* Effect.flip(op(client.CancelJob({ media_id: "m1" }))), { code: "not_processing" })
        yield* op(client.RetryJob({ media_id: "m1" }))
        yield* until(
          Effect.sync(() => heard),
          ({ length }) => length === 2,
        )
        assert.deepStrictEqual(heard, [
          'control {"action":"cancel","media_id":"m1"}',
          'retry {"media_id":"m1","user_id":"ada"}',
        ])
        assert.deepInclude(yield* Effect.flip(op(client.GetJob({ media_id: "nobody" }))), { code: "not_found" })
      }))

    test("lists and watches transcriptions beside media, cancels queued and running ones, and retries them", (client) =>
      Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
        const bus = yield* EventBus
        const ledger = yield* Ledger
        const states = yield* Collection.make(transcriptStates)
        const requested = {
          media_id: "m1",
          user_id: "ada",
          source_file_path: "s3://media/a.mp4",
        }
        const state = {
          media_id: "m1",
          user_id: "ada",
          status: "processing",
          percent: 40,
          source_event_id: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
          requested_at: "2026-01-01T00:00:00.000Z",
          request: requested,
          trace_id: "0af7651916cd43dd8448eb211c80319c",
          languages: {},
          updated_at: "2026-01-01T00:00:00.000Z",
        } as const
        yield* states.put("m1", state)
        const about = { kind: "transcription", media_id: "m1" } as const
        const [job] = yield* op(client.ListJobs({}))
        assert.deepInclude(job, { ...about, stage: "transcribing", percent: 40, trace_id: state.trace_id })
        assert.deepStrictEqual(yield* op(client.ListJobs({ kind: "media" })), [])
        assert.deepInclude(yield* Effect.flip(op(client.CancelJob({ media_id: "m1" }))), { code: "not_found" })

        // Its progress comes without an event.
        const seen: Array<number | undefined> = []
        yield* Effect.forkScoped(
          op(
            Stream.runForEach(client.WatchJobs({ kind: "transcription" }), (jobs) =>
              Effect.sync(() => void seen.push(jobs.find(({ media_id }) => media_id === "m1")?.percent)),
            ),
          ),
        )
        yield* until(
          Effect.sync(() => seen),
          (all) => all.includes(40),
        )
        yield* states.put("m1", { ...state, percent: 65 })
        yield* until(
          Effect.sync(() => seen),
          (all) => all.includes(65),
        )

        // No worker has started this one; the worker that receives it ends it.
        const waiting = { ...uploadedEvent("m2"), event_type: "transcription.requested" }
        yield* publish({ ...waiting, payload: { ...requested, media_id: "m2" } } as never)
        yield* until(op(client.ListJobs({ query: "m2" })), ([one]) => one?.stage === "queued")
        yield* op(client.CancelJob({ ...about, media_id: "m2" }))
        const claimed = yield* ledger.acquire(
          `ai-transcription-requested.${waiting.event_id}`,
          "w",
          Duration.minutes(1),
        )
        assert.include(claimed._tag === "Acquired" ? claimed.lease.cancelReason : "", "ended by request")
        const film = uploadedEvent("m3")
        yield* publish(film)
        yield* until(op(client.ListJobs({ query: "m3" })), ([one]) => one?.stage === "queued")
        yield* op(client.CancelJob({ media_id: "m3" }))
        // regression: a cancelled job was listed as queued until a worker received it
        const [ended] = yield* op(client.ListJobs({ query: "m3" }))
        assert.deepInclude(ended, { status: "failed", retryable: false })
        assert.strictEqual(ended?.error?.code, "cancelled")
        const soon = yield* Effect.flip(op(client.RetryJob({ media_id: "m3" })))
        assert.include(soon.message, "is being cancelled")
        const upload = yield* ledger.acquire(`media-media-uploaded.${film.event_id}`, "w", Duration.minutes(1))
        assert.include(upload._tag === "Acquired" ? upload.lease.cancelReason : "", "ended by request")

        yield* op(client.CancelJob(about))
        assert.deepInclude(yield* Effect.flip(op(client.RetryJob(about))), { code: "not_failed" })
        yield* states.put("m1", { ...state, status: "failed", failed: { code: "cancelled", message: "ended" } })
        yield* until(op(client.GetJob(about)), ({ status }) => status === "failed")
        const heard: Array<string> = []
        yield* bus.consume({ name: "test-again", from: work("ai", "retry"), concurrency: 1 }, ({ body, id }) =>
          Effect.sync(() => {
            heard.push(`${id} ${JSON.stringify(JSON.parse(new TextDecoder().decode(body)).payload)}`)
            return { _tag: "Ack" }
          }),
        )
        yield* op(client.RetryJob(about))
        const again = yield* until(op(client.ListJobs({ query: "m1" })), ([one]) => one?.stage === "queued")
        yield* until(
          Effect.sync(() => heard),
          ({ length }) => length === 1,
        )
        assert.deepStrictEqual(heard, [`${again[0]?.event_id} {"media_id":"m1","user_id":"ada"}`])
        yield* states.put("m1", { ...state, source_event_id: again[0]?.event_id ?? "", percent: 10 })
        yield* until(op(client.ListJobs({ query: "m1" })), ([one]) => one?.percent === 10)

        const { request: _unknown, ...old } = state
        yield* states.put("m4", { ...old, media_id: "m4", status: "failed" })
        const refused = yield* Effect.flip(op(client.RetryJob({ ...about, media_id: "m4" })))
        assert.deepInclude(refused, { code: "request_not_found" })
      }))

    test("holds a flagged message for one decision: approve or remove", (client) =>
      Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
        const history = yield* History
        const said = (content: string) => bytes({ event: "new_message", payload: { content } })
        yield* history.append("chat:room:tea", "c1", said("is this rude?"))
        const flag = (id: string) => ({
          event_type: "moderation.flagged",
          event_id: crypto.randomUUID(),
          source: "ai",
          timestamp: new Date().toISOString(),
          payload: {
            target: {
              kind: "chat",
              id,
              room_id: "tea",
              user_id: "ada",
            },
            reasons: ["word"],
            action: "review",
          },
        })
        const told: Array<unknown> = []
        const bus = yield* EventBus
        yield* publish(flag("c1"))
        yield* publish(flag("c2"))
        const pending = yield* until(op(client.ListReviews({ status: "pending" })), ({ length }) => length === 2)
        yield* bus.subscribe(event("moderation.flagged"), ({ body }) => {
          told.push(JSON.parse(new TextDecoder().decode(body)).payload)
        })
        const one = pending.find(({ message_id }) => message_id === "c1")
        assert.deepInclude(one, { conversation_id: "tea", user_id: "ada", content: "is this rude?", reasons: ["word"] })
        yield* op(client.RemoveReview({ review_id: one?.review_id ?? "" }))
        yield* op(client.ApproveReview({ review_id: "chat.tea.c2" }))
        assert.deepInclude(yield* Effect.flip(op(client.RemoveReview({ review_id: "chat.tea.c2" }))), {
          code: "too_late",
        })
        yield* until(
          Effect.sync(() => told),
          ({ length }) => length === 1,
        )
        assert.deepInclude(told[0], { action: "remove", reasons: ["word"] })
        const decided = yield* op(client.ListReviews({}))
        assert.deepStrictEqual(
          decided.map(({ decided_by, message_id, status }) => [message_id, status, decided_by]).sort(),
          [
            ["c1", "removed", "op"],
            ["c2", "approved", "op"],
          ],
        )
      }))

    test("holds one review for a flood with its number of messages, filters, and decides on many at once", (client) =>
      Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
        const since = "2026-01-31T12:00:00.000Z"
        const flag = (id: string, user_id: string, more: object) => ({
          event_type: "moderation.flagged",
          event_id: crypto.randomUUID(),
          source: "ai",
          timestamp: new Date().toISOString(),
          payload: { target: { kind: "chat", id, room_id: "tea", user_id }, action: "review", ...more },
        })
        // regression: each message of a flood was a review of its own, and 300 of them hid all others.
        for (const count of [10, 40, 20])
          yield* publish(flag(`f${count}`, "auth0|7", { reasons: ["flood"], flood: { count, since } }))
        for (const id of ["w1", "w2", "w3"]) yield* publish(flag(id, "ada", { reasons: ["word"] }))
        const floods = yield* until(
          op(client.ListReviews({ reason: "flood" })),
          ([one, ...others]) => one?.count === 40 && others.length === 0,
        )
        assert.deepInclude(floods[0], { user_id: "auth0|7", status: "pending" })
        assert.lengthOf(yield* op(client.ListReviews({ user_id: "auth0|7" })), 1)
        assert.lengthOf(yield* op(client.ListReviews({ conversation_id: "coffee" })), 0)
        const words = yield* until(op(client.ListReviews({ reason: "word" })), ({ length }) => length === 3)
        const ids = words.map(({ review_id }) => review_id)
        const result = yield* op(client.DecideReviews({ review_ids: [...ids, "chat.tea.none"], decision: "remove" }))
        assert.deepInclude(result, { decided: 3 })
        assert.deepStrictEqual(
          result.rejected.map(({ review_id }) => review_id),
          ["chat.tea.none"],
        )
        assert.lengthOf(yield* op(client.ListReviews({ status: "pending" })), 1)
      }))

    test("shows a media with its captions and deliveries, and a user with sockets, media and notifications", (client) =>
      Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
        const at = "2026-01-01T00:00:00.000Z"
        const source_event_id = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
        const common = { media_id: "m1", user_id: "ada", percent: 100, source_event_id, updated_at: at }
        yield* (yield* Collection.make(mediaStates)).put("m1", {
          ...common,
          status: "ready",
          stage: "publishing",
          generations: {},
          attempts: [],
          renditions: [{ name: "720p", width: 1280, height: 720, bandwidth: 2_000_000 }],
          timings: {},
        })
        const captions = { vtt: "https://cdn.example/m1.vtt", srt: "https://cdn.example/m1.srt" }
        yield* (yield* Collection.make(transcriptStates)).put("m1", {
          ...common,
          status: "complete",
          requested_at: at,
          languages: {
            en: {
              transcription_id: "t1",
              transcript_file_path: "s3://media/t.json",
              caption_urls: captions,
              quality: "good",
              engine: "whisper",
              word_count: 7,
              requested_at: at,
              completed_at: at,
            },
          },
        })
        yield* (yield* Collection.make(notificationStates)).put("n1", {
          notification_id: "n1",
          user_id: "ada",
          notification_type: "email",
          status: "sent",
          source_event_id,
          content: { title: "Your film is ready", text: "", data: {} },
          deliveries: [
            {
              delivery_id: "d1",
              target: { channel: "email", address: "ada@example.com" },
              summary: { channel: "email", provider: "smtp", status: "sent" },
            },
          ],
          requested_at: 0,
          updated_at: at,
        })
        const history = yield* History
        const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        yield* history.append(
          "user:ada",
          "e1",
          bytes({ event: "media_ready", payload: { media_id: "m1", traceparent } }),
        )
        yield* history.append(
          "user:ada",
          "e2",
          bytes({ event: "notification_sent", payload: { notification_id: "n1" } }),
        )

        const media = yield* op(client.GetMedia({ media_id: "m1" }))
        assert.deepStrictEqual(
          media.jobs.map(({ kind }) => kind),
          ["media", "transcription"],
        )
        assert.deepInclude(media.captions[0], { language: "en", word_count: 7, ...captions })
        assert.deepStrictEqual(
          media.deliveries.map(({ event, trace_id }) => [event, trace_id]),
          [["media_ready", "0af7651916cd43dd8448eb211c80319c"]],
        )
        assert.deepInclude(yield* Effect.flip(op(client.GetMedia({ media_id: "none" }))), { code: "not_found" })

        const user = yield* op(client.GetUser({ user_id: "ada" }))
        assert.deepStrictEqual(
          user.events.map(({ event }) => event),
          ["notification_sent", "media_ready"],
        )
        assert.deepInclude(user.notifications[0], { title: "Your film is ready", status: "sent" })
        assert.deepStrictEqual(user.notifications[0]?.deliveries, [
          { channel: "email", status: "sent", provider: "smtp" },
        ])
        assert.strictEqual(user.sockets[0]?.socket_id, "s1")
        assert.strictEqual(user.jobs.length, 2)
        const nobody = yield* op(client.GetUser({ user_id: "bob" }))
        assert.deepStrictEqual([nobody.sockets, nobody.jobs, nobody.events], [[], [], []])
      }))

    test("streams events of chosen types from now on, and log lines while a client watches", (client) =>
      Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
        const refused = yield* Effect.flip(op(Stream.runHead(client.WatchLive({ types: ["media.uploded"] }))))
        assert.include(refused.message, "media.uploded is not one of media.uploaded")
        const lines: Array<LiveLine> = []
        yield* op(
          Stream.runForEach(client.WatchLive({ types: ["media.uploaded"] }), (line) =>
            Effect.sync(() => void lines.push(line)),
          ),
        ).pipe(Effect.forkScoped)
        const log = yield* RecordedLog
        // The subscription starts at some point after the call.
        yield* until(
          Effect.tap(
            Effect.sync(() => lines),
            () =>
              Effect.andThen(
                publish(uploadedEvent("m9")),
                Effect.sync(() => log.write({ message: "hello" })),
              ),
          ),
          (all) => all.some(({ _tag }) => _tag === "Event") && all.some(({ _tag }) => _tag === "Log"),
        )
        const first = lines.find(({ _tag }) => _tag === "Event")
        assert.include(JSON.stringify(first), '"media_id":"m9"')
        assert.deepInclude(
          lines.find(({ _tag }) => _tag === "Log"),
          { line: { message: "hello" } },
        )
      }))

    test("pauses and resumes circuits; the overview lists what needs an operator", (client) =>
      Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
        yield* op(client.PauseCircuit({ name: "provider:fcm", reason: "wrong key" }))
        const { circuits } = yield* op(client.ListCircuits())
        assert.deepInclude(circuits[0]?.paused, { by: "op", reason: "wrong key" })
        const overview = yield* op(client.GetOverview())
        assert.deepStrictEqual(overview.unhealthy_circuits, ["provider:fcm"])
        assert.include(overview.warnings[0]?.message, "paused by op")
        assert.deepStrictEqual(overview.nodes[0]?.services, ["media", "realtime"])
        assert.deepStrictEqual(
          overview.queues.map(({ name }) => name),
          ["operator-moderation-flagged"],
        )
        yield* op(client.ResumeCircuit({ name: "provider:fcm" }))
        assert.deepStrictEqual((yield* op(client.ListCircuits())).circuits, [])
        const unknown = yield* Effect.flip(op(client.ResumeCircuit({ name: "provider:unknown" })))
        assert.deepInclude(unknown, { code: "not_found" })
        const [first, second] = yield* op(Stream.runCollect(Stream.take(client.WatchOverview(), 2)))
        assert.isAbove(first?.history.length ?? 0, 0)
        assert.strictEqual(second?.history.length, 0)
      }))

    test("lists sockets and rooms; sets the log level on the processes that answer", (client) =>
      Effect.gen(function* () {
        const op = withToken(yield* tokenFor("op", { roles: ["operator"] }))
        assert.deepStrictEqual((yield* op(client.ListRooms({}))).rooms, [
          { topic: "chat:room:tea", members: 1, nodes: ["n"] },
        ])
        assert.deepInclude((yield* op(client.ListSockets({ user_id: "ada" }))).sockets[0], {
          socket_id: "s1",
          user_id: "ada",
        })
        assert.deepStrictEqual((yield* op(client.ListSockets({ user_id: "bob" }))).sockets, [])
        assert.strictEqual((yield* op(client.SetLogLevel({ level: "debug" }))).nodes.length, 1)
        const nobody = yield* Effect.flip(op(client.SetLogLevel({ level: "debug", node: "elsewhere" })))
        assert.deepInclude(nobody, { code: "not_found" })
        assert.deepInclude(yield* Effect.flip(op(client.Kick({ reason: "" }))), { code: "invalid" })
      }))
  })
}
