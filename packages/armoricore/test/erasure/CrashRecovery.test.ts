/**
 * Deletion and erasure under crashes: three processes share a NATS server and a folder, and the one that works dies by SIGKILL after
 * each of its steps.
 */
import * as UploadClient from "@armoricore/demo/UploadClient"
import { eventually } from "@armoricore/testing/Eventually"
import * as NatsServer from "@armoricore/testing/NatsServer"
import * as Programs from "@armoricore/testing/Programs"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { connect } from "nats"
import { request, retryUntil } from "../support/ApiClient.ts"
import * as ChatClient from "../support/ChatClient.ts"
import * as CrashingService from "../support/CrashingService.ts"
import { tokenFor } from "../support/ProgramFixture.ts"
import * as ProgramProcess from "../support/ProgramProcess.ts"

const ffmpeg = Programs.requireProgram("ffmpeg")
const nats = Programs.requireProgram("nats-server")

const userId = "u1"
const canary = "canary7f3a"
/** In data of other users, which stays. */
const neighbour = "neighbour51"
/** In the user's request to an audience. Its members have received it. */
const announcement = "announcement88"
/** In the media that is deleted before the erasure. */
const deletedCanary = "deleted9c2e"

/** After the request is remembered, each store with entries, the pass that finds nothing, the decision and the report. */
const erasurePoints =
  (service: string): CrashingService.CrashPoints =>
  (sent) => [
    ...(service === "realtime" && sent.includes("PUB $KV.armoricore_erasures.user=2e") ? ["requested"] : []),
    ...[...sent.matchAll(new RegExp(`"${service}":\\{"removed":\\{([^}]*)\\},"is_clean":(true|false)`, "g"))].flatMap(
      ([, removed = "", isClean]) => {
        if (isClean === "true") return ["clean"]
        const [, store, count] = /"(\w+)":(\d+)$/.exec(removed) ?? []
        return store === undefined || count === "0" ? [] : [store]
      },
    ),
    ...(/"status":"decided".*user\.erased/.test(sent) ? ["decided"] : []),
    ...(/PUB armoricore\.user\.erased /.test(sent) ? ["published"] : []),
  ]

const deletionPoints: CrashingService.CrashPoints = (sent) => [
  ...[...sent.matchAll(/PUB \$KV\.armoricore_media_deletions\.[^{]*\{([^}]*)\}/g)].map(
    ([, fields = ""]) =>
      `deletion ${[...fields.matchAll(/"(\w+)":/g)]
        .map(([, name]) => name)
        .sort()
        .join()}`,
  ),
  ...[...sent.matchAll(/\$KV\.armoricore_media\.[^{]*\{[^\r]*"deleted_at"/g)].map(() => "marked"),
  ...[...sent.matchAll(/\$KV\.armoricore_(media_keys|transcripts)\.\S+ [^{]*KV-Operation: DEL/g)].map(
    ([, bucket]) => `${bucket} removed`,
  ),
  ...(/"status":"decided".*media\.deleted/.test(sent) ? ["decided"] : []),
  ...(/PUB armoricore\.media\.deleted /.test(sent) ? ["published"] : []),
]

const filesWith = (folder: string, text: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => file.includes(text) || readFileSync(file, "latin1").includes(text))

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined

describe.skipIf(ffmpeg.missing || nats.missing)("deletion and erasure", () => {
  it.live(
    "end with one report and without a trace, although the process dies after each step",
    () =>
      Effect.gen(function* () {
        const server = yield* NatsServer.make()
        const client = yield* Effect.acquireRelease(
          Effect.promise(() => connect({ servers: server.url })),
          (open) => Effect.promise(() => open.close()),
        )
        const data = yield* ProgramProcess.temporaryDirectory
        const workflows = yield* ProgramProcess.temporaryDirectory
        writeFileSync(
          join(workflows, "late.json"),
          JSON.stringify({
            name: "late",
            steps: [{ type: "in_app" }, { type: "delay", for: "1d" }, { type: "email" }],
          }),
        )
        writeFileSync(
          join(workflows, "daily.json"),
          JSON.stringify({ name: "daily", steps: [{ type: "digest", window: "1d" }, { type: "in_app" }] }),
        )
        const env = {
          ARMORICORE_DATA_DIR: data,
          JWT_SECRET: "a secret that the processes share, for this test",
          LOG_LEVEL: "info",
          NOTIFY_WORKFLOWS: workflows,
          MEDIA_QUOTA_UPLOADS: "20",
          MODERATION_REVIEW_WORDS: canary,
        }
        const launch = (services: string) => CrashingService.make(services, server, client, env)
        const [media, notify, realtime] = yield* Effect.all(
          [launch("media"), launch("notify,ai"), launch("realtime")],
          {
            concurrency: "unbounded",
          },
        )
        const backend = yield* tokenFor(env, "--user", "php", "--role", "publisher", "--role", "operator")
        const own = yield* tokenFor(env, "--user", userId)
        const call = Effect.fnUntraced(function* (method: string, path: string, body?: object, token = backend) {
          const answer = yield* request(`${yield* realtime.url}${path}`, {
            method,
            headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          })
          return answer.status < 300
            ? answer.json
            : yield* Effect.fail(new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.json)}`))
        })
        const publish = (event_type: string, payload: object) =>
          call("POST", "/v1/events", {
            event_type,
            event_id: crypto.randomUUID(),
            timestamp: new Date().toISOString(),
            source: "php-backend",
            payload,
          })

        const upload = Effect.fnUntraced(function* (text: string) {
          const folder = yield* ProgramProcess.temporaryDirectory
          const file = join(folder, `${text}.mp4`)
          const args = `-v error -f lavfi -i testsrc2=s=160x90:r=10 -t 1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -metadata title=${text}`
          yield* Effect.promise(() => promisify(execFile)(ffmpeg.path, [...args.split(" "), file]))
          const grant = yield* UploadClient.requestUpload(yield* realtime.url, own, file)
          yield* UploadClient.uploadFile(grant, file)
          return grant
        })
        const process = Effect.fnUntraced(function* (text: string) {
          const { file_path, media_id, upload_token } = yield* upload(text)
          yield* publish("media.uploaded", {
            media_id,
            user_id: userId,
            file_path,
            upload_token,
            metadata: { title: text },
          })
          yield* retryUntil(
            call("GET", `/v1/media/${media_id}`, undefined, own),
            (json) => field(json, "status") === "ready",
          )
          const captions = yield* request(
            `${yield* realtime.url}/v1/media/${media_id}/captions?language=en&title=${text}`,
            {
              method: "POST",
              headers: { authorization: `Bearer ${own}`, "content-type": "text/vtt" },
              body: `WEBVTT\n\n00:00.000 --> 00:01.000\n${text}\n`,
            },
          )
          assert.strictEqual(captions.status, 202, JSON.stringify(captions.json))
          // The clip has no sound; its transcript has the request, with the name of the file.
          yield* publish("transcription.requested", { media_id, user_id: userId, source_file_path: file_path })
          return media_id
        })
        // One media is deleted.
        const deletedId = yield* process(deletedCanary)
        yield* CrashingService.awaitIdle(client)
        assert.containsAllKeys(yield* CrashingService.streamsWith(client, deletedCanary), [
          "ARMORICORE",
          "KV_armoricore_media",
        ])
        assert.isNotEmpty(filesWith(data, deletedCanary))
        yield* media.crashAt(
          { stream: "ARMORICORE_WORK", consumer: "media-work-control" },
          deletionPoints,
          Effect.andThen(
            call("DELETE", `/v1/media/${deletedId}`, undefined, own),
            eventually(() => media.passed().includes("published"), {
              timeout: "2 minutes",
              interval: "50 millis",
            }).pipe(Effect.andThen(CrashingService.awaitIdle(client, ["media-work-control"]))),
          ),
        )
        yield* CrashingService.awaitIdle(client)
        assert.includeMembers(
          media.passed().map((point) => point.split(" ")[0] ?? ""),
          ["deletion", "marked", "decided", "published"],
        )
        assert.deepStrictEqual(yield* CrashingService.streamsWith(client, deletedCanary), {})
        assert.deepStrictEqual(filesWith(data, deletedCanary), [])

        // A user with data in every store, and another one.
        const mediaId = yield* process(canary)
        yield* upload(canary)
        const started = yield* request(`${yield* realtime.url}/v1/uploads/tus`, {
          method: "POST",
          headers: {
            authorization: `Bearer ${own}`,
            "tus-resumable": "1.0.0",
            "upload-length": "1000",
            "upload-metadata": `filename ${Buffer.from(`${canary}.mp4`).toString("base64")}`,
          },
        })
        assert.strictEqual(started.status, 201, JSON.stringify(started.json))
        const other = yield* tokenFor(env, "--user", "u2")
        const room = yield* ChatClient.join(yield* realtime.url, own, "chat:room:a")
        const direct = yield* ChatClient.join(yield* realtime.url, own, `dm:${userId}:u2`)
        const otherRoom = yield* ChatClient.join(yield* realtime.url, other, "chat:room:a")
        yield* otherRoom.push("new_message", { content: neighbour, mentions: [userId] })
        const said = yield* room.push("new_message", { content: canary, metadata: { note: canary } })
        yield* otherRoom.push("react", { id: field(said, "id"), emoji: "👍" })
        yield* room.push("mark_read", { seq: field(said, "seq") })
        yield* direct.push("new_message", { content: canary })
        const comments = yield* ChatClient.join(yield* realtime.url, own, "comments:stream:a")
        yield* comments.push("new_comment", { content: canary })
        yield* call("PUT", `/v1/rooms/a/members/${userId}`, { role: "moderator" })
        yield* call("PUT", `/v1/users/${userId}/devices/${canary}`, {
          platform: "email",
          token: `${canary}@example.org`,
        })
        yield* call("PUT", `/v1/users/${userId}/preferences`, { categories: { [canary]: { push: false } } })
        yield* call("POST", "/v1/audiences/fans/members", { add: [userId, "u2"] })
        const notification = { user_id: userId, title: canary, body: canary, data: { note: canary } }
        yield* publish("notification.requested", { ...notification, notification_type: "in_app" })
        yield* publish("notification.requested", {
          ...notification,
          notification_type: "email",
          recipients: [{ email: `${canary}@example.org` }],
        })
        yield* publish("notification.requested", {
          ...notification,
          notification_type: "in_app",
          idempotency_key: canary,
          send_at: new Date(Date.now() + 86_400_000).toISOString(),
        })
        yield* publish("notification.requested", { ...notification, workflow: "late" })
        yield* publish("notification.requested", { ...notification, workflow: "daily" })
        // The request of this user to others.
        yield* publish("notification.requested", {
          user_id: userId,
          title: announcement,
          body: announcement,
          audience: "fans",
          notification_type: "in_app",
        })
        yield* publish("notification.requested", {
          user_id: "u2",
          title: neighbour,
          body: neighbour,
          notification_type: "in_app",
        })
        // No file of this path is an upload: a dead letter.
        yield* Effect.promise(() =>
          client.jetstream().publish(
            "armoricore.media.uploaded",
            JSON.stringify({
              event_type: "media.uploaded",
              payload: { user_id: userId, metadata: { title: canary } },
            }),
          ),
        )
        yield* CrashingService.awaitIdle(client)
        yield* call("POST", "/v1/suppressions", { address: `${canary}@example.org`, note: `550 ${canary}` })
        const before = yield* CrashingService.streamsWith(client, canary)
        // Otherwise the search below would prove nothing.
        assert.containsAllKeys(before, [
          "ARMORICORE",
          "ARMORICORE_DEAD",
          "ARMORICORE_HISTORY",
          ...["inbox", "media", "notification", "resumable_uploads", "reviews", "suppression", "transcripts"].map(
            (name) => `KV_armoricore_${name}`,
          ),
          ...["user_device", "user_inbox", "user_preference", "workflow_run"].map((name) => `KV_armoricore_${name}`),
        ])
        assert.isAtLeast(filesWith(data, canary).length, 5)

        const consumerOf = (service: string) => `${service}-user-erase-requested`
        const crashing = <A, E, R>(service: typeof media, name: string, work: Effect.Effect<A, E, R>) =>
          service.crashAt({ stream: "ARMORICORE", consumer: consumerOf(name) }, erasurePoints(name), work)
        const erasure = call("DELETE", `/v1/users/${userId}`).pipe(
          Effect.andThen(
            eventually(realtime.passed, (passed) => passed.includes("published"), {
              timeout: "4 minutes",
              interval: "50 millis",
            }),
          ),
          Effect.andThen(CrashingService.awaitIdle(client, ["media", "notify", "realtime"].map(consumerOf))),
        )
        yield* crashing(media, "media", crashing(notify, "notify", crashing(realtime, "realtime", erasure)))
        assert.includeMembers([...media.passed()], ["media", "uploads", "quota"])
        assert.includeMembers(
          [...notify.passed()],
          ["suppression_reasons", "notifications", "mailbox", "workflow_runs", "audience_sends", "audience_chunks"],
        )
        assert.includeMembers(
          [...realtime.passed()],
          ["memberships", "messages", "read_state", "inbox", "devices", "preferences", "audiences"].concat([
            "dead_letters",
            "events",
            "reviews",
            "clean",
            "decided",
            "published",
          ]),
        )
        const reports = yield* Effect.promise(async () => {
          const manager = await client.jetstreamManager()
          const { state } = await manager.streams.info("ARMORICORE", { subjects_filter: "armoricore.user.erased" })
          const last = await manager.streams.getMessage("ARMORICORE", { last_by_subj: "armoricore.user.erased" })
          return { count: state.subjects?.["armoricore.user.erased"], report: last.json() }
        })
        assert.strictEqual(reports.count, 1)
        // Entries that a process removed before it died are counted.
        assert.deepInclude(field(field(reports.report, "payload"), "removed"), {
          media: 1,
          uploads: 2,
          quota: 1,
          notifications: 4,
          mailbox: 1,
          workflow_runs: 2,
          suppression_reasons: 1,
          audience_sends: 1,
          audience_chunks: 1,
          memberships: 1,
          devices: 1,
          preferences: 1,
          audiences: 1,
          dead_letters: 1,
        })
        assert.deepStrictEqual(yield* CrashingService.streamsWith(client, canary), {})
        assert.deepStrictEqual(filesWith(data, canary), [])
        // Its members have it.
        const announced = yield* CrashingService.streamsWith(client, announcement)
        assert.property(yield* CrashingService.streamsWith(client, neighbour), "ARMORICORE_HISTORY")
        assert.notProperty(announced, "KV_armoricore_audience_send")

        const answers = yield* Effect.forEach(
          [
            ...["chat:room:a", `dm:${userId}:u2`, "comments:stream:a", `user:${userId}`].map(
              (topic) => `/v1/topics/${encodeURIComponent(topic)}/messages`,
            ),
            ...["inbox", "devices", "preferences", "rooms"].map((name) => `/v1/users/${userId}/${name}`),
            "/v1/rooms/a/members",
            "/v1/audiences/fans/members",
            `/v1/media/${mediaId}`,
            "/v1/users/u2/inbox",
          ],
          (path) => Effect.map(Effect.result(call("GET", path)), (answer) => `${path} ${JSON.stringify(answer)}`),
        )
        for (const answer of answers) assert.notInclude(answer, canary)
        // regression: NATS before 2.10.25 lost the message of another user beside the removed one.
        assert.include(answers[0], neighbour)
        assert.include(answers.at(-1), neighbour)
      }).pipe(Effect.provide(NodeServices.layer)),
    360_000,
  )
})
