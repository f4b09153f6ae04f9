/**
 * Every variable that the program reads, in the order of `.env.example`. A new setting is one entry here; what several
 * of them mean together is checked in `Groups.ts`.
 */
import { defaultEventSources } from "@armoricore/domain/EventRegistry"
import { Duration } from "effect"
import { captions } from "./Captions.ts"
import { realtime } from "./Realtime.ts"
import { media } from "./Media.ts"
import { notify } from "./Notify.ts"
import { emailProviders, emailProviderSettings, pushProviderSettings } from "./Providers.ts"
import { retries } from "./Retries.ts"
import { secrets } from "./Secrets.ts"
import {
  choice,
  duration,
  eventSources,
  int,
  list,
  longSecret,
  ipNetworks,
  secret,
  signingKeys,
  size,
  text,
  url,
  urls,
  httpProtocols,
  withDefault,
} from "./Setting.ts"

export const settingGroups = {
  "The program": {
    ARMORICORE_DATA_DIR: withDefault(
      text({ description: "where the embedded bus, state and objects are kept" }),
      ".armoricore",
      ".armoricore",
    ),
    PORT: withDefault(
      int(0, 65_535)({ description: "the HTTP and WebSocket listener; 0 takes any free port and prints it" }),
      4000,
      "4000",
    ),
    HOST: withDefault(text({ description: "the address it listens on" }), "127.0.0.1", "127.0.0.1"),
    PUBLIC_URL: url(...httpProtocols)({
      description: "how clients reach this program from outside, for signed URLs of the local folder",
      defaultText: "http://HOST:PORT",
      example: "https://media.example.com",
    }),
    ALLOWED_ORIGINS: list({
      description: "origins whose pages may connect, separated by commas; * for any",
      defaultText: "the same origin",
      example: "https://www.example.com",
    }),
    TLS_CERT: text({
      description: "path of the certificate chain (PEM)",
      defaultText: "plain HTTP",
      example: "/run/secrets/tls.crt",
    }),
    TLS_KEY: text({
      description: "path of the private key (PEM)",
      defaultText: "plain HTTP",
      example: "/run/secrets/tls.key",
    }),
    TRUSTED_PROXIES: ipNetworks({
      description: "addresses of proxies whose X-Forwarded-For counts, separated by commas",
      example: "10.0.0.0/8",
    }),
    DRAIN_TIMEOUT: withDefault(
      duration({ description: "how long work that runs at SIGTERM may take to finish" }),
      Duration.seconds(25),
      "25 s",
    ),
    LOG_LEVEL: withDefault(
      choice("trace", "debug", "info", "warn", "error", "fatal", "none")({ description: "what is logged" }),
      "info",
      "info",
    ),
    LOG_FORMAT: choice(
      "json",
      "pretty",
    )({ description: "how it is logged: json or pretty", defaultText: "json; pretty on a terminal", example: "json" }),
    OTEL_EXPORTER_OTLP_ENDPOINT: url(...httpProtocols)({
      description: "where traces and metrics are sent",
      defaultText: "off",
      example: "http://localhost:4318",
    }),
    OTEL_EXPORTER_OTLP_HEADERS: secret({
      description: "headers for it, name=value separated by commas",
      example: "authorization=Bearer …",
    }),
    OTEL_SERVICE_NAME: withDefault(text({ description: "the service's name in traces" }), "armoricore", "armoricore"),
    OTEL_RESOURCE_ATTRIBUTES: text({
      description: "more attributes, name=value separated by commas",
      example: "deployment.environment=staging",
    }),
    TRACE_SAMPLE_RATE: withDefault(
      int(
        0,
        1_000_000,
      )({ description: "how many traces a second a process records; of more, a share is recorded whole" }),
      50,
      "50",
    ),
  },
  "Secrets and their rotation": secrets,
  "The message bus": {
    MESSAGE_BUS_URL: urls(
      "nats:",
      "tls:",
      "amqp:",
      "amqps:",
    )({
      description: "nats:// or tls:// (several for a cluster, separated by commas), amqp:// or amqps://",
      defaultText: "embedded, in the data folder",
      example: "nats://localhost:4222",
    }),
    NATS_CREDS: text({ description: "path of a NATS credentials file", example: "/run/secrets/nats.creds" }),
    NATS_NKEY_SEED: secret({ description: "a NATS nkey seed", example: "SU…" }),
    NATS_CA: text({
      description: "path of the CA certificate of the NATS servers (PEM)",
      example: "/etc/ssl/nats-ca.pem",
    }),
    AMQP_CA: text({
      description: "path of the CA certificate of the RabbitMQ servers (PEM), for amqps://",
      defaultText: "the public authorities",
      example: "/etc/ssl/rabbitmq-ca.pem",
    }),
    NATS_SETUP: withDefault(
      choice(
        "apply",
        "verify",
      )({
        description:
          "apply: streams and buckets are made at the start; verify: only looked at, for users without the right",
      }),
      "apply",
      "apply",
    ),
    NATS_INBOX_PREFIX: text({
      description: "what answers to this process are addressed to, where its permissions ask for one",
      defaultText: "_INBOX",
      example: "_INBOX_media",
    }),
    NATS_REPLICAS: withDefault(int(1, 5)({ description: "copies of everything in a NATS cluster" }), 1, "1"),
    NATS_EVENTS_MAX_BYTES: withDefault(
      size(1e6)({
        description:
          "what the stream of events may hold, over its 7 days; work and dead letters a quarter each. A full one refuses",
      }),
      4 * 1024 ** 3,
      "4 GiB",
    ),
    ...retries,
  },
  State: {
    STATE_URL: url(
      "postgres:",
      "postgresql:",
    )({
      description:
        "postgres://user:password@host/database; with ?sslmode=require behind it, TLS and a verified certificate",
      defaultText: "NATS key-value on NATS, else embedded; needed with amqp://",
      example: "postgres://armoricore:…@localhost/armoricore",
    }),
    STATE_CA: text({
      description: "path of the CA certificate of the PostgreSQL server (PEM); TLS is then asked for",
      example: "/etc/ssl/postgres-ca.pem",
    }),
  },
  "Object storage": {
    OBJECT_STORAGE_ENDPOINT: url(...httpProtocols)({
      description: "an S3-compatible endpoint (S3, MinIO, …)",
      defaultText: "a local folder, served with signed URLs",
      example: "http://localhost:9000",
    }),
    OBJECT_STORAGE_REGION: withDefault(text({ description: "its region" }), "us-east-1", "us-east-1"),
    OBJECT_STORAGE_BUCKET: withDefault(
      text({ description: "the bucket of uploads and of what is made of them" }),
      "media",
      "media",
    ),
    OBJECT_STORAGE_ACCESS_KEY: text({ description: "the access key's id", example: "minioadmin" }),
    OBJECT_STORAGE_SECRET_KEY: secret({ description: "the access key's secret", example: "…" }),
    MEDIA_SOURCE_BUCKETS: list({
      description: "buckets that s3://bucket/key in events may name, separated by commas",
      defaultText: "OBJECT_STORAGE_BUCKET",
      example: "media,uploads",
    }),
  },
  "Media processing": media,
  Playback: {
    CDN_BASE_URL: url(...httpProtocols)({
      description: "where playback URLs point",
      defaultText: "this program, or the object storage",
      example: "https://cdn.example.com",
    }),
    URL_SECRET: longSecret(16)({
      description:
        "the secret of URLs that this program answers itself (playback without a CDN, the local folder), the same in every process; at least 16 characters",
      defaultText: "made of JWT_SECRET, else a random one, kept in the data folder",
      example: "…",
    }),
    AKAMAI_EDGEAUTH_KEY: secret({
      description: "key of Akamai EdgeAuth tokens, hex",
      defaultText: "no tokens",
      example: "52a152…",
    }),
    AKAMAI_EDGEAUTH_TTL: withDefault(
      duration({ description: "how long such a token is valid" }),
      Duration.hours(4),
      "4 h",
    ),
    AKAMAI_EDGEAUTH_NAME: withDefault(text({ description: "the token's parameter or cookie" }), "hdnts", "hdnts"),
  },
  "Who may do what": {
    JWT_SECRET: longSecret(16)({
      description: "the secret of HS256 tokens, at least 16 characters",
      defaultText: "a random one, kept in the data folder (for development)",
      example: "…",
    }),
    JWT_JWKS_URL: url(...httpProtocols)({
      description: "or where the public keys of tokens are",
      example: "https://id.example.com/.well-known/jwks.json",
    }),
    JWT_ISSUER: text({
      description: "the iss that tokens must have",
      defaultText: "any",
      example: "https://id.example.com",
    }),
    JWT_AUDIENCE: text({ description: "the aud that tokens must have", defaultText: "any", example: "armoricore" }),
    EVENT_SOURCES: withDefault(
      eventSources({ description: "which outside source may publish which events, as JSON" }),
      defaultEventSources,
      JSON.stringify(defaultEventSources),
    ),
    EVENT_SIGNING_KEYS: signingKeys({
      description: "id:secret,id:secret; when set, outside events must be signed",
      defaultText: "signatures are not asked for",
      example: "2026-01:…",
    }),
  },
  "Chat, comments and presence": realtime,
  "Push notifications": pushProviderSettings,
  "E-mail": {
    ...emailProviderSettings,
    MAIL_FROM: text({ description: "sender of every e-mail", example: "Example <no-reply@example.com>" }),
    MAIL_PROVIDERS: list({
      description: "order in which e-mail providers are tried, names separated by commas",
      defaultText: `${emailProviders.map(({ name }) => name).join(",")}, of these the configured ones`,
      example: "ses,smtp",
    }),
  },
  Notifications: notify,
  "Captions and moderation": captions,
  "Webhook of results": {
    WEBHOOK_URL: url(...httpProtocols)({
      description: "result events are also POSTed there",
      defaultText: "off",
      example: "https://www.example.com/armoricore",
    }),
    WEBHOOK_SECRET: secret({ description: "the secret they are signed with", example: "…" }),
  },
  "Outside programs": {
    FFMPEG_PATH: text({
      description: "ffmpeg",
      defaultText: "the one on PATH, else the one that npm installed",
      example: "/usr/bin/ffmpeg",
    }),
    FFPROBE_PATH: text({
      description: "ffprobe",
      defaultText: "the one on PATH, else the one that npm installed",
      example: "/usr/bin/ffprobe",
    }),
  },
} as const

export const settingsTable = {
  ...settingGroups["The program"],
  ...settingGroups["Secrets and their rotation"],
  ...settingGroups["The message bus"],
  ...settingGroups.State,
  ...settingGroups["Object storage"],
  ...settingGroups["Media processing"],
  ...settingGroups.Playback,
  ...settingGroups["Who may do what"],
  ...settingGroups["Chat, comments and presence"],
  ...settingGroups["Push notifications"],
  ...settingGroups["E-mail"],
  ...settingGroups.Notifications,
  ...settingGroups["Captions and moderation"],
  ...settingGroups["Webhook of results"],
  ...settingGroups["Outside programs"],
}

export type SettingName = keyof typeof settingsTable
export type SettingValues = { readonly [N in SettingName]: (typeof settingsTable)[N]["fallback"] }
