/**
 * Runs the whole program with a recognisable value in every secret setting, against external services that reject each
 * request and quote it. No log line, metric or span may then contain a secret, and `/metrics` must parse and have every
 * documented metric.
 */
import { S3Server } from "@armoricore/testing/S3Server"
import * as FakeHttpServer from "@armoricore/testing/fakes/FakeHttpServer"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { WebSocket } from "ws"
import * as UploadClient from "@armoricore/demo/UploadClient"
import { settingsTable } from "../../src/settings/Table.ts"
import * as MetricCatalog from "../../src/telemetry/MetricCatalog.ts"
import { makeRedact } from "../../src/telemetry/Redaction.ts"
import { request, retryUntil } from "../support/ApiClient.ts"
import * as OtlpCollector from "../support/OtlpCollector.ts"
import * as PrometheusParser from "../support/PrometheusParser.ts"
import * as ProgramProcess from "../support/ProgramProcess.ts"
import * as FakeSecretStores from "../support/FakeSecretStores.ts"

const pem = (key: { readonly privateKey: { export: (as: { type: "pkcs8"; format: "pem" }) => string | Buffer } }) =>
  String(key.privateKey.export({ type: "pkcs8", format: "pem" }))

const vapid = () => {
  const {
    d = "",
    x = "",
    y = "",
  } = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" })
  const publicKey = Buffer.concat([Buffer.from([4]), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")])
  return { privateKey: d, publicKey: publicKey.toString("base64url") }
}

const promtool = Programs.requireProgram("promtool")

/** Rejects every request with a response that quotes it. */
const quoting = FakeHttpServer.listenHttp(({ body, headers, path }) => ({
  status: 403,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ error: `refused ${path} with ${JSON.stringify(headers)}: ${body.toString("utf8")}` }),
}))

const settingsOf = Effect.gen(function* () {
  const outside = yield* quoting
  const vault = yield* FakeSecretStores.vault()
  const s3 = yield* S3Server
  const { privateKey, publicKey } = vapid()
  const account = {
    type: "service_account",
    project_id: "p",
    client_email: "a@example.com",
    private_key_id: "fcm-key-id-secret",
    private_key: pem(generateKeyPairSync("rsa", { modulusLength: 2048 })),
    token_uri: `${outside}/token`,
  }
  const secrets = {
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer otel-header-secret",
    VAULT_TOKEN: "good-token",
    OBJECT_STORAGE_SECRET_KEY: Redacted.value(s3.secretKey),
    URL_SECRET: "url-signing-secret-0123456789",
    AKAMAI_EDGEAUTH_KEY: "52a152a152a152a152a152a152a152a1",
    AKAMAI_PURGE_CLIENT_SECRET: "akamai-purge-secret",
    CDN_PURGE_SECRET: "cdn-purge-secret-0123456789",
    JWT_SECRET: "jwt-secret-0123456789",
    EVENT_SIGNING_KEYS: "key-1:signing-secret-1,key-2:signing-secret-2",
    AUTHORIZE_SECRET: "authorize-secret-0123456789",
    MEDIA_KEY_SECRET: "media-key-secret-0123456789",
    MEDIA_KEY_SERVER_SECRET: "media-key-server-secret-0123456789",
    FCM_SERVICE_ACCOUNT: JSON.stringify(account),
    FCM_APPS: JSON.stringify({ driver: account }),
    APNS_KEY: pem(generateKeyPairSync("ec", { namedCurve: "P-256" })),
    VAPID_PRIVATE_KEY: privateKey,
    SMS_TOKEN: "sms-token-secret",
    SMS_HTTP_TOKEN: "sms-http-token-secret",
    NOTIFY_WEBHOOK_SECRET: "notify-webhook-secret-0123456789",
    DKIM_KEY: pem(generateKeyPairSync("rsa", { modulusLength: 2048 })),
    SENDGRID_API_KEY: "SG.sendgrid-secret",
    SPEECH_API_KEY: "sk-speech-secret",
    LANGUAGE_MODEL_API_KEY: "sk-language-secret",
    MODERATION_API_KEY: "sk-moderation-secret",
    WEBHOOK_SECRET: "webhook-secret-0123",
    UNSUBSCRIBE_SECRET: "unsubscribe-secret-0123456789",
  }
  // Not all of them are in the environment. The webhook and Akamai are alternatives: the program refuses both at once.
  const { AKAMAI_PURGE_CLIENT_SECRET: _, SPEECH_API_KEY, UNSUBSCRIBE_SECRET, ...environment } = secrets
  yield* vault.write({ RETRY_MAX_ATTEMPTS: 2, UNSUBSCRIBE_SECRET })
  const file = join(yield* ProgramProcess.temporaryDirectory, "speech-key")
  writeFileSync(file, `${SPEECH_API_KEY}\n`)
  const others = {
    ...environment,
    SPEECH_API_KEY_FILE: file,
    LANGUAGE_MODEL_BASE_URL: `${outside}/v1`,
    LANGUAGE_MODEL: "model",
    VAULT_ADDR: vault.address,
    VAULT_SECRET: "secret/data/armoricore",
    OBJECT_STORAGE_ENDPOINT: s3.endpoint,
    OBJECT_STORAGE_ACCESS_KEY: s3.accessKey,
    CDN_BASE_URL: "https://cdn.example.com",
    CDN_PURGE_URL: `${outside}/purge`,
    AUTHORIZE_URL: `${outside}/authorize`,
    MEDIA_KEY_SERVER_URL: `${outside}/keys`,
    AUTHORIZE_TOPICS: "room:*",
    FCM_BASE_URL: outside,
    APNS_BASE_URL: outside,
    APNS_KEY_ID: "ABC123DEFG",
    APNS_TEAM_ID: "DEF123GHIJ",
    APNS_TOPIC: "com.example.app",
    VAPID_PUBLIC_KEY: publicKey,
    VAPID_SUBJECT: "mailto:ops@example.com",
    SMS_BASE_URL: outside,
    SMS_ACCOUNT: "AC0123456789abcdef",
    SMS_FROM: "+15005550006",
    SMS_HTTP_URL: `${outside}/sms`,
    MAIL_FROM: "a@example.com",
    DKIM_DOMAIN: "example.com",
    DKIM_SELECTOR: "mail",
    SENDGRID_BASE_URL: outside,
    SMTP_URL: "smtp://user:smtp-password-secret@127.0.0.1:9",
    SPEECH_ENGINE: "openai",
    SPEECH_BASE_URL: outside,
    MODERATION_BASE_URL: outside,
    WEBHOOK_URL: `${outside.replace("://", "://hook:hook-password-secret@")}/hook?token=hook-token-secret`,
  }
  const hidden = [
    ...Object.entries(secrets).flatMap(([name, text]) => (name === "EVENT_SIGNING_KEYS" ? [] : [text])),
    "signing-secret-1",
    "signing-secret-2",
    "otel-header-secret",
    "fcm-key-id-secret",
    ...[account.private_key, secrets.APNS_KEY, secrets.DKIM_KEY].flatMap((key) =>
      key.split("\n").filter((line) => /^[^-]{16,}/.test(line)),
    ),
    "smtp-password-secret",
    "hook-password-secret",
    "hook-token-secret",
  ]
  return { secrets, others, hidden, outside }
})

/** All frames of the first seconds of a socket. */
const connect = (url: string, frames: ReadonlyArray<string>) =>
  Effect.callback<string>((resume) => {
    const socket = new WebSocket(url)
    let received = ""
    const done = () => resume(Effect.succeed(received))
    socket.on("open", () => {
      for (const frame of frames) socket.send(frame)
    })
    socket.on("message", (data) => {
      received += String(data)
      if (received.includes("hello")) done()
    })
    socket.on("error", done)
    socket.on("close", done)
    return Effect.sync(() => socket.terminate())
  }).pipe(Effect.timeout("20 seconds"))

describe("logs, metrics and spans of the program", () => {
  it.live(
    "contain no secret, and /metrics has every documented metric",
    () =>
      Effect.gen(function* () {
        const { hidden, others, outside, secrets } = yield* settingsOf
        // The seed needs a NATS server that knows its key.
        const secret = Object.entries(settingsTable).flatMap(([name, setting]) =>
          setting.secret && name !== "NATS_NKEY_SEED" ? [name] : [],
        )
        assert.sameMembers(Object.keys(secrets), secret, "every secret setting has its value here")
        const collector = yield* OtlpCollector.start
        const env = {
          ...others,
          ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
          PORT: "0",
          LOG_LEVEL: "trace",
          LOG_FORMAT: "json",
          OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
          RETRY_BASE: "50 ms",
          RETRY_CAP: "100 ms",
        }
        const program = yield* ProgramProcess.launch(["start"], env)
        const [, url = ""] = yield* program.waitForOutput(/armoricore listens on (http:\S+)/)
        const tokenFor = (...args: ReadonlyArray<string>) =>
          Effect.map(ProgramProcess.run(["token", ...args], env), ({ stdout }) => stdout.trim())
        const token = yield* tokenFor("--user", "u1")
        const publisher = yield* tokenFor("--user", "php", "--role", "publisher")
        const tokens = [token, publisher, "play-token-secret", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.not-a-signature"]

        const post = (path: string, by: string, body: unknown) =>
          request(`${url}${path}`, {
            method: "POST",
            headers: { authorization: `Bearer ${by}` },
            body: JSON.stringify(body),
          })
        const event = (event_type: string, payload: object, more: object = {}) =>
          post("/v1/events", publisher, {
            event_type,
            event_id: crypto.randomUUID(),
            timestamp: new Date().toISOString(),
            source: "php-backend",
            payload: { user_id: "u1", ...payload },
            ...more,
          })

        const granted = yield* post("/v1/uploads", token, { filename: "a.mp4", content_type: "video/mp4", size: 9 })
        const grant = yield* Schema.decodeUnknownEffect(UploadClient.UploadGrant)(granted.json)
        const signature = new URL(grant.upload_url).searchParams.get("X-Amz-Signature") ?? "no signature"
        yield* request(grant.upload_url, { method: "PUT", headers: grant.headers, body: "not a film".slice(0, 9) })
        const { file_path, media_id } = grant
        const device = { fcm_token: "fcm-device-secret-token" }
        const browser = {
          web_push: {
            endpoint: `${outside}/wpush/v2/push-endpoint-secret`,
            keys: { p256dh: publicOf(), auth: "YXV0aC1zZWNyZXQtMTI" },
          },
        }
        const note = { title: "t", body: "b" }
        yield* event("media.uploaded", { media_id, file_path })
        yield* event("transcription.requested", { media_id, source_file_path: file_path })
        yield* event("notification.requested", {
          ...note,
          notification_type: "push",
          recipients: [device, { apns_token: "ab".repeat(32) }, browser],
        })
        yield* event("notification.requested", {
          ...note,
          notification_type: "email",
          recipients: [{ email: "a@example.com" }],
        })
        // Errors of every kind.
        for (const bad of tokens.slice(2)) yield* post("/v1/uploads", bad, {})
        yield* request(`${url}/v1/media/${media_id}?token=${token}`)
        yield* request(`${url}/play/play-token-secret/master.m3u8`)
        yield* request(`${url}/objects/media/a?expires=1&signature=object-signature-secret`)
        yield* request(`${url}/v1/events`, {
          method: "POST",
          headers: { "armoricore-signature": `keyid=key-1,t=1,v1=${"ab".repeat(32)}` },
          body: "{}",
        })
        yield* request(`${url}/socket/longpoll?vsn=2.0.0&token=${token}`)
        const socket = `${url.replace("http", "ws")}/socket/websocket?vsn=2.0.0&token=`
        yield* connect(`${socket}${tokens[3]}`, [])
        const received = yield* connect(`${socket}${token}`, [
          JSON.stringify(["1", "1", "chat:room:r", "phx_join", {}]),
          JSON.stringify(["1", "2", "chat:room:r", "new_message", { content: "hello", client_id: "client-1" }]),
        ])
        assert.include(received, "hello")

        const scrape = Effect.map(request(`${url}/metrics`), ({ json }) => String(json))
        const wanted = [
          /armoricore_jobs_total\{[^}]*type="media.uploaded"/,
          /armoricore_notification_deliveries_total\{/,
          /armoricore_dead_letters_total\{/,
          /armoricore_retries_total\{/,
          /armoricore_circuit_open\{/,
          /armoricore_realtime_joins_total 1/,
          /armoricore_queue_oldest_age_seconds\{/,
        ]
        yield* retryUntil(scrape, (text) => wanted.every((pattern) => pattern.test(text)))
        const page = yield* scrape
        yield* program.signal("SIGTERM")
        const { stderr, stdout } = yield* program.exited

        if (!promtool.missing) {
          const { status, stderr: found } = spawnSync(promtool.path, ["check", "metrics"], {
            input: page,
            encoding: "utf8",
          })
          assert.deepStrictEqual([status, found], [0, ""], "promtool check metrics")
        }
        const families = PrometheusParser.parse(page)
        for (const { labels, description, name, type } of MetricCatalog.allMetrics) {
          const family = families.get(name)
          assert.deepStrictEqual([family?.type, family?.help], [type, description], name)
          for (const sample of family?.samples ?? []) {
            for (const key of sample.labels.keys()) assert.include(["le", ...labels], key, name)
            const service = sample.labels.get("service")
            if (service !== undefined) assert.include(MetricCatalog.metricsReference(), `\`${service}\``, name)
          }
        }
        const known = new Set(MetricCatalog.allMetrics.map(({ name }) => name))
        assert.deepStrictEqual(
          [...families.keys()].filter((name) => !known.has(name)),
          [],
        )
        for (const name of ["process_cpu_seconds_total", "armoricore_fibers", "armoricore_queue_oldest_age_seconds"]) {
          assert.isAbove(families.get(name)?.samples.length ?? 0, 0, name)
        }

        for (const line of stderr.split("\n").filter((text) => text !== "")) {
          const read: unknown = JSON.parse(line)
          assert.isObject(read, line)
          const { level, message, timestamp, ...fields } = read as Record<string, unknown>
          assert.include(["trace", "debug", "info", "warn", "error", "fatal"], level, line)
          assert.isString(message, line)
          assert.match(String(timestamp), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/, line)
          for (const value of Object.values(fields)) assert.notStrictEqual(typeof value, "object", line)
        }
        const about = stderr.split("\n").filter((line) => line.includes(`"media_id":"${media_id}"`))
        assert.isTrue(
          about.some((line) => /"trace_id":"[0-9a-f]{32}"/.test(line) && line.includes('"service":"media"')),
        )

        const reported = { logs: stdout + stderr, metrics: page }
        const exported = ["traces", "metrics", "logs"].map((signal) => collector.textOf(signal))
        for (const text of exported) assert.isAbove(text.length, 100)
        const gone = [
          ...hidden,
          ...tokens,
          signature,
          "object-signature-secret",
          "fcm-device-secret-token",
          "push-endpoint-secret",
          "ab".repeat(32),
        ]
        for (const [where, text] of [
          ...Object.entries(reported),
          ...exported.map((text, at) => [`export ${at}`, text] as const),
        ]) {
          for (const one of gone) {
            const at = text.indexOf(one)
            assert.strictEqual(at === -1 ? "" : text.slice(Math.max(0, at - 300), at + 40), "", `${one} in ${where}`)
          }
        }
      }).pipe(Effect.provide(S3Server.layer({ buckets: ["media"] }))),
    120_000,
  )

  it("redacts text that has the form of a secret, and only that", () => {
    const scrub = makeRedact(["s3cret/+value", "line one of a long key\nline two of a long key"])
    for (const [text, clean] of [
      ["a s3cret/+value b", "a <redacted> b"],
      ["s3cret%2F%2Bvalue", "<redacted>"],
      ["line two of a long key", "<redacted>"],
      ["nats://user:pass@host:4222", "nats://user:<redacted>@host:4222"],
      ["GET /play/0123456789abcdef/a.m3u8", "GET /play/<redacted>/a.m3u8"],
      ["ws://h/socket/websocket?vsn=2.0.0&token=abc.def", "ws://h/socket/websocket?vsn=2.0.0&token=<redacted>"],
      ["Authorization: Bearer abcdefghijkl", "Authorization: Bearer <redacted>"],
      ["keyid=a,t=1,v1=0123456789abcdef0123456789abcdef", "keyid=a,t=1,v1=<redacted>"],
      ["the media 5f0c-11 of user 42 at http://host:4000/v1/media/x?at=1", ""],
      ["a SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY b", "a <redacted> b"],
      ['{"trace_id":"0af7651916cd43dd8448eb211c80319c"}', ""],
    ] as const) {
      assert.strictEqual(scrub(text), clean === "" ? text : clean)
    }
  })
})

const publicOf = () => vapid().publicKey
