/** A user with data in every store that an erasure covers, on memory ports, and a search for what is left of it. */
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { encodeId } from "@armoricore/domain/EncodedId"
import { History } from "@armoricore/history/History"
import * as ChunkedEncodes from "@armoricore/media/chunked/ChunkedEncodes"
import * as Deletion from "@armoricore/media/pipeline/Deletion"
import * as MediaErasure from "@armoricore/media/pipeline/MediaErasure"
import { quotaUsages } from "@armoricore/media/pipeline/Quota"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import { mediaKeys } from "@armoricore/media/protection/ContentKeys"
import * as MediaRecord from "@armoricore/media/record/MediaRecord"
import * as NotifyErasure from "@armoricore/notify/erasure/NotifyErasure"
import * as Reviews from "@armoricore/operator/Reviews"
import { layer as roomMembersLayer, RoomMembers } from "@armoricore/realtime/access/RoomMembers"
import { RealtimeAdmin } from "@armoricore/realtime/admin/RealtimeAdmin"
import { Cluster } from "@armoricore/realtime/cluster/Cluster"
import * as RealtimeErasure from "@armoricore/realtime/erasure/RealtimeErasure"
import { Topics } from "@armoricore/realtime/pubsub/Topics"
import * as MessageChanges from "@armoricore/realtime/rooms/MessageChanges"
import * as ReadState from "@armoricore/realtime/rooms/ReadState"
import * as RoomEntry from "@armoricore/realtime/rooms/RoomEntry"
import * as RoomLog from "@armoricore/realtime/rooms/RoomLog"
import { audienceChunks } from "@armoricore/state/AudienceChunks"
import { Audiences, audienceSends } from "@armoricore/state/Audiences"
import * as Collection from "@armoricore/state/Collection"
import { KeyValue } from "@armoricore/state/KeyValue"
import * as States from "@armoricore/state/NotificationStates"
import { resumableUploads } from "@armoricore/state/ResumableUploads"
import { SuppressionList } from "@armoricore/state/SuppressionList"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { UserDevices } from "@armoricore/state/UserDevices"
import { UserInbox } from "@armoricore/state/UserInbox"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { digests, listingKeys, runListings, workflowRuns } from "@armoricore/state/WorkflowRuns"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import * as Testing from "@armoricore/testing/Testing"
import { FurtherStores } from "@armoricore/worker/erasure/ErasureStore"
import { ledgerBucket } from "@armoricore/worker/ledger/Ledger"
import { Effect, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { serviceNames } from "../../src/app/Services.ts"
import { bucketsFor } from "../../src/security/NatsPermissions.ts"

export const userId = "user5c1e"
/** In each content of the user. */
const canary = "canary7f3a"
const other = "someone-else"
const at = "2026-01-31T12:00:00Z"
const encoder = new TextEncoder()

const admin = Layer.mock(RealtimeAdmin, {
  sockets: () => Effect.succeed({ items: [], truncated: false, unresponsive: [] }),
  ban: () => Effect.void,
})
const rooms = Layer.mergeAll(MessageChanges.layer, ReadState.layer()).pipe(
  Layer.provideMerge(RoomLog.layer),
  Layer.provideMerge([Topics.layer, Cluster.layerSingleNode]),
)
export const layer = Layer.mergeAll(
  rooms,
  admin,
  roomMembersLayer,
  Audiences.layer,
  SuppressionList.layer,
  UserDevices.layer,
  UserInbox.layer,
  UserPreferences.layer,
).pipe(Layer.provideMerge(Testing.layer))

/** The stores of all services, in their order. Nothing of the user is being worked on. */
export const stores = Effect.gen(function* () {
  const record = yield* MediaRecord.make
  const deletion = yield* Deletion.make({ encodes: yield* ChunkedEncodes.make, options: { bucket: "media" }, record })
  const pipeline = yield* UploadPipeline.pipe(
    Effect.provide(
      Layer.mock(UploadPipeline, {
        newestUpload: () => Effect.succeed(undefined),
        causes: () => Effect.succeed({ uploads: [], transcriptions: [] }),
        remove: deletion.remove,
      }),
    ),
  )
  const jobs = { cancel: () => Effect.succeed(false), forget: () => Effect.void, removeEvents: () => Effect.void }
  const reviews = yield* Reviews.makeErasureStore
  return [
    ...(yield* MediaErasure.makeStores("media", pipeline, jobs)),
    ...(yield* NotifyErasure.makeStores),
    ...(yield* Effect.provideService(RealtimeErasure.makeStores, FurtherStores, [reviews])),
  ]
})

const putText = Effect.fnUntraced(function* (key: string) {
  const { put } = yield* ObjectStorage
  yield* put<never, never>({ bucket: "media", key }, encoder.encode(canary), { contentType: "text/plain" })
})

const seedMedia = Effect.gen(function* () {
  const record = yield* MediaRecord.make
  const storage = yield* ObjectStorage
  const upload = { media_id: "m1", user_id: userId, file_path: `s3://media/uploads/${userId}/m1/${canary}.mp4` }
  const event = { event_type: "media.uploaded", event_id: crypto.randomUUID(), timestamp: at, source: "php" } as const
  yield* record.begin({ ...event, payload: { ...upload, metadata: { title: canary } } }, 1, "media/m1/v1/", false)
  for (const folder of ["media/m1/v1/", "captions/m1/", "transcripts/m1/t1/", "work/transcription/m1/a/"])
    yield* putText(`${folder}text`)
  yield* putText(`uploads/${userId}/m1/${canary}.mp4`)
  yield* putText(`uploads/${userId}/unpublished/${canary}.mp4`)
  yield* (yield* Collection.make(mediaKeys)).put("m1", { keys: [{ id: canary, sealed: canary }] })
  yield* (yield* Collection.make(transcriptStates)).put("m1", {
    media_id: "m1",
    user_id: userId,
    status: "processing",
    percent: 1,
    source_event_id: event.event_id,
    requested_at: at,
    request: { media_id: "m1", user_id: userId, source_file_path: upload.file_path },
    languages: {},
    updated_at: at,
  })
  const ref = { bucket: "media", key: `uploads/${userId}/m2/${canary}.mp4` }
  const upload_id = yield* storage.createMultipartUpload(ref, { contentType: "video/mp4" })
  const { etag } = yield* storage.putPart(ref, upload_id, { number: 1, body: encoder.encode(canary) })
  yield* putText("work/uploads/m2/1")
  yield* (yield* Collection.make(resumableUploads)).put("m2", {
    media_id: "m2",
    user_id: userId,
    file_path: `s3://media/${ref.key}`,
    content_type: "video/mp4",
    size: 100,
    offset: 2 * canary.length,
    metadata: canary,
    part_size: canary.length,
    upload_id,
    etags: [etag],
    pieces: [{ key: "work/uploads/m2/1", size: canary.length }],
    expires_at: "2026-02-02T12:00:00Z",
    is_complete: false,
  })
  const charges = { [canary]: { bytes: 1, seconds: 1 } }
  yield* (yield* Collection.make(quotaUsages)).put(encodeId(userId), { day: "2026-01-31", charges })
})

const seedNotifications = Effect.gen(function* () {
  const state = yield* KeyValue
  const address = `${canary}@example.org`
  const shared = { user_id: userId, notification_id: "n1", title: canary, text: canary, data: {} }
  yield* (yield* Collection.make(States.notificationStates)).put("n1", {
    notification_id: "n1",
    user_id: userId,
    notification_type: "email",
    status: "sent",
    source_event_id: "e1",
    content: { title: canary, text: canary, data: {} },
    deliveries: [{ delivery_id: "n1.email.1", target: { channel: "email", address } }],
    requested_at: 1,
    updated_at: at,
  })
  yield* state.put(States.deliveryStates.bucket, "n1.email.1", canary)
  yield* (yield* Collection.make(States.inboxMessages)).put("n1.email.1", {
    ...shared,
    message_id: "n1.email.1",
    channel: "email",
    to: address,
    attachments: [],
    received_at: at,
  })
  yield* (yield* SuppressionList).add(
    { address },
    { reason: "bounced", evidence: `550 ${address}`, delivery_id: "n1.email.1" },
  )
  const content = { title: canary, body: canary, data: {}, context: {} }
  const run = {
    run_id: "r1",
    workflow: "daily",
    user_id: userId,
    source_event_id: "e1",
    started_at: at,
    updated_at: at,
  }
  yield* (yield* Collection.make(workflowRuns)).put("r1", {
    ...run,
    content: { ...content, recipients: [] },
    instructions: [],
    position: 0,
    status: "running",
    sent: {},
  })
  const listings = yield* Collection.make(runListings)
  for (const key of listingKeys(run)) yield* listings.put(key, { run_id: "r1" })
  const items = [{ run_id: "r1", ...content }]
  yield* (yield* Collection.make(digests)).put("digest.d1", { run_id: "r1", closes_at: 1, items })
  yield* (yield* Collection.make(audienceSends)).put("s1", {
    send_id: "s1",
    audience: "fans",
    status: "running",
    source_event_id: "e2",
    payload: JSON.stringify({ user_id: userId, title: canary }),
    lanes: [],
    started_at: at,
    updated_at: at,
  })
  yield* (yield* Collection.make(audienceChunks)).put("s2.0000000", {
    send_id: "s2",
    chunk: 0,
    notification_type: "push",
    requested_at: 1,
    updated_at: at,
    kinds: [{ channel: "fcm", provider: "fcm", status: "sent" }],
    errors: [],
    members: [{ u: other }, { u: userId, r: [{ k: 0, i: canary }], e: 1 }],
  })
})

const seedRealtime = Effect.gen(function* () {
  const history = yield* History
  const say = (room: string, id: string, user_id: string, content: string) =>
    history.append(
      room,
      id,
      RoomEntry.encode({ event: "new_message", payload: { id, user_id, content }, droppable: false }),
    )
  yield* say("chat:room:a", "1", other, "stays")
  yield* say("chat:room:a", "2", userId, canary)
  yield* say(`user:${userId}`, "3", userId, canary)
  yield* (yield* ReadState.ReadState).markRead("chat:room:a", userId, 1e15)
  yield* TestClock.adjust("2 seconds")
  yield* (yield* RoomMembers).put("a", userId, undefined)
  const item = { id: "i1", notification_id: "n1", title: canary, body: canary, data: {}, created_at: at }
  yield* (yield* UserInbox).add(userId, item)
  yield* (yield* UserDevices).register(userId, { device_id: canary, platform: "android", token: canary })
  yield* (yield* UserPreferences).put(userId, { categories: { [canary]: { push: false } } })
  yield* (yield* Audiences).add("fans", [userId, other])
  yield* (yield* Collection.make(Reviews.reviews)).put("chat.a.2", {
    review_id: "chat.a.2",
    kind: "chat",
    message_id: "2",
    conversation_id: "a",
    user_id: userId,
    reasons: ["word"],
    status: "pending",
    content: canary,
    flagged_at: at,
    event_id: "e3",
  })
})

const seedBus = Effect.gen(function* () {
  const bus = yield* EventBus
  const message = JSON.stringify({ event_type: "chat.message", payload: { user_id: userId, content: canary } })
  yield* bus.publish({ address: Address.event("chat.message"), id: "event", body: encoder.encode(message) })
  const dead = Address.deadLetter("media", "media.uploaded")
  yield* bus.publish({ address: dead, id: "dead", body: encoder.encode(message) })
  const decision = { outbound: [{ address: Address.event("chat.message"), id: "x", body: message }] }
  const decided = { status: "decided", at: 1, attempts: 0, firstAt: 1, decision }
  yield* (yield* KeyValue).put(ledgerBucket, "ai-chat.1", JSON.stringify(decided))
})

export const seed = Effect.gen(function* () {
  yield* (yield* ObjectStorage).setup("media")
  yield* Effect.all([seedMedia, seedNotifications, seedRealtime, seedBus], { discard: true })
})

/** Tombstones name their owner, and nothing of the content. */
const tombstones = new Set(["media", "media_deletions"])

/**
 * Where the user or its canary is: names of buckets, of folders, `history`, `events` and `dead_letters`. It reads the events and
 * messages by removing them.
 */
export const traces = Effect.gen(function* () {
  const found = new Set<string>()
  const has = (text: string) => text.includes(canary) || text.includes(userId)
  const state = yield* KeyValue
  for (const bucket of bucketsFor(serviceNames)) {
    const entries = yield* state.list(bucket, { limit: 100 })
    const isFound = entries.some(({ key, value }) =>
      tombstones.has(bucket.name) ? value.includes(canary) : has(`${key} ${value}`),
    )
    if (isFound) found.add(bucket.name)
  }
  const storage = yield* ObjectStorage
  for (const { key } of yield* Stream.runCollect(storage.list("media", ""))) {
    const { body } = yield* storage.get({ bucket: "media", key })
    if (has(`${key} ${yield* Stream.mkString(Stream.decodeText(body))}`)) found.add(`${key.split("/")[0]}/`)
  }
  const isFound = (body: Uint8Array) => has(Buffer.from(body).toString())
  const bus = yield* EventBus
  const letters = yield* bus.deadLetters.list({ limit: 100 })
  if (letters.some(({ body }) => isFound(body))) found.add("dead_letters")
  if ((yield* bus.removeHandled("", isFound)) > 0) found.add("events")
  if ((yield* (yield* History).removeMatching("", isFound)).length > 0) found.add("history")
  return found
})
