/**
 * Every environment variable that the program reads, in the order of `.env.example`. A new setting is one entry here.
 * `CrossFieldRules.ts` checks combinations of settings.
 */
import { defaultEventSources } from "@armoricore/domain/EventRegistry"
import { Duration } from "effect"
import { access } from "./Access.ts"
import { captions } from "./Captions.ts"
import { realtime } from "./Realtime.ts"
import { media } from "./Media.ts"
import { notify } from "./Notify.ts"
import { emailProviders, emailProviderSettings, otherProviderSettings, pushProviderSettings } from "./Providers.ts"
import { retries } from "./Retries.ts"
import { secrets } from "./Secrets.ts"
import {
  choice,
  duration,
  durationRange,
  eventSources,
  int,
  list,
  longSecret,
  minSigningSecret,
  nkeySeed,
  ipNetworks,
  secret,
  type Setting,
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
      text({ description: "data folder of the embedded bus, state and object storage" }),
      ".armoricore",
      ".armoricore",
    ),
    PORT: withDefault(
      int(0, 65_535)({ description: "port of the HTTP and WebSocket listener; 0 takes any free port and prints it" }),
      4000,
      "4000",
    ),
    HOST: withDefault(text({ description: "address that the listener binds to" }), "127.0.0.1", "127.0.0.1"),
    PUBLIC_URL: url(...httpProtocols)({
      description: "URL under which clients reach this program; used in signed URLs of the local object folder",
      defaultText: "http://HOST:PORT",
      example: "https://media.example.com",
    }),
    ALLOWED_ORIGINS: list({
      description: "origins of pages that may connect, separated by commas; * allows any",
      defaultText: "the same origin",
      example: "https://www.example.com",
    }),
    TLS_CERT: text({
      description: "path of the TLS certificate chain (PEM)",
      defaultText: "plain HTTP",
      example: "/run/secrets/tls.crt",
    }),
    TLS_KEY: text({
      description: "path of the TLS private key (PEM)",
      defaultText: "plain HTTP",
      example: "/run/secrets/tls.key",
    }),
    TRUSTED_PROXIES: ipNetworks({
      description: "addresses or networks of proxies whose X-Forwarded-For header is trusted, separated by commas",
      example: "10.0.0.0/8",
    }),
    DRAIN_TIMEOUT: withDefault(
      duration({ description: "how long running work may take to finish after SIGTERM" }),
      Duration.seconds(25),
      "25 s",
    ),
    LOG_LEVEL: withDefault(
      choice("trace", "debug", "info", "warn", "error", "fatal", "none")({ description: "lowest level of log lines" }),
      "info",
      "info",
    ),
    LOG_FORMAT: choice(
      "json",
      "pretty",
    )({
      description: "format of log lines: json or pretty",
      defaultText: "json; pretty on a terminal",
      example: "json",
    }),
    OTEL_EXPORTER_OTLP_ENDPOINT: url(...httpProtocols)({
      description: "URL of an OpenTelemetry collector for traces, metrics and logs",
      defaultText: "off",
      example: "http://localhost:4318",
    }),
    OTEL_EXPORTER_OTLP_HEADERS: secret({
      description: "HTTP headers for the collector, name=value separated by commas",
      example: "authorization=Bearer …",
    }),
    OTEL_SERVICE_NAME: withDefault(
      text({ description: "service name in traces, metrics and logs" }),
      "armoricore",
      "armoricore",
    ),
    OTEL_RESOURCE_ATTRIBUTES: text({
      description: "additional resource attributes, name=value separated by commas",
      example: "deployment.environment=staging",
    }),
    TRACE_SAMPLE_RATE: withDefault(
      int(
        0,
        1_000_000,
      )({
        description: "traces per second that a process records; above it, a process samples whole traces by trace id",
      }),
      50,
      "50",
    ),
  },
  "Secret stores": secrets,
  "The message bus": {
    MESSAGE_BUS_URL: urls(
      "nats:",
      "tls:",
      "amqp:",
      "amqps:",
    )({
      description: "nats:// or tls:// (several servers of a cluster separated by commas), amqp:// or amqps://",
      defaultText: "embedded, in the data folder",
      example: "nats://localhost:4222",
    }),
    NATS_CREDS: text({ description: "path of a NATS credentials file", example: "/run/secrets/nats.creds" }),
    NATS_NKEY_SEED: nkeySeed({ description: "NATS nkey seed", example: "SU…" }),
    NATS_CA: text({
      description: "path of the CA certificate of the NATS servers (PEM)",
      example: "/etc/ssl/nats-ca.pem",
    }),
    AMQP_CA: text({
      description: "path of the CA certificate of the RabbitMQ servers (PEM), for amqps://",
      defaultText: "the public CAs",
      example: "/etc/ssl/rabbitmq-ca.pem",
    }),
    NATS_SETUP: withDefault(
      choice(
        "apply",
        "verify",
      )({
        description:
          "apply: create and update streams and buckets at startup; verify: only check them, for restricted credentials",
      }),
      "apply",
      "apply",
    ),
    NATS_INBOX_PREFIX: text({
      description: "subject prefix of replies to this process, for credentials that may subscribe to that prefix only",
      defaultText: "_INBOX",
      example: "_INBOX_media",
    }),
    NATS_REPLICAS: withDefault(
      int(1, 5)({ description: "number of replicas of each stream and bucket in a NATS cluster" }),
      1,
      "1",
    ),
    NATS_EVENTS_MAX_BYTES: withDefault(
      size(1e6)({
        description:
          "maximum size of the events stream (7-day retention); when it is full, publishes fail; the work and dead-letter streams get a quarter each",
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
      description: "postgres://user:password@host/database; ?sslmode=require enables TLS and verifies the certificate",
      defaultText: "NATS key-value with NATS, else embedded; required with amqp://",
      example: "postgres://armoricore:…@localhost/armoricore",
    }),
    STATE_CA: text({
      description: "path of the CA certificate of the PostgreSQL server (PEM); enables TLS",
      example: "/etc/ssl/postgres-ca.pem",
    }),
  },
  "Object storage": {
    OBJECT_STORAGE_ENDPOINT: url(...httpProtocols)({
      description: "URL of an S3-compatible service (S3, MinIO, …)",
      defaultText: "a local folder with signed URLs",
      example: "http://localhost:9000",
    }),
    OBJECT_STORAGE_REGION: withDefault(text({ description: "S3 region" }), "us-east-1", "us-east-1"),
    OBJECT_STORAGE_BUCKET: withDefault(
      text({ description: "bucket of uploads and of the files that are made from them" }),
      "media",
      "media",
    ),
    OBJECT_STORAGE_ACCESS_KEY: text({ description: "S3 access key id", example: "minioadmin" }),
    OBJECT_STORAGE_SECRET_KEY: secret({ description: "S3 secret access key", example: "…" }),
    MEDIA_SOURCE_BUCKETS: list({
      description: "buckets that s3://bucket/key in events may name, separated by commas",
      defaultText: "OBJECT_STORAGE_BUCKET",
      example: "media,uploads",
    }),
  },
  "Media processing": media,
  Playback: {
    CDN_BASE_URL: url(...httpProtocols)({
      description: "base URL of playback URLs",
      defaultText: "this program, or the object storage",
      example: "https://cdn.example.com",
    }),
    URL_SECRET: longSecret(16)({
      description:
        "secret of the URLs that this program signs (playback without a CDN, the local object folder) and of upload tokens, the same in every process; at least 16 characters",
      defaultText: "derived from JWT_SECRET, else a generated secret in the data folder",
      example: "…",
    }),
    AKAMAI_EDGEAUTH_KEY: secret({
      description: "key of Akamai EdgeAuth tokens, hexadecimal",
      defaultText: "no tokens",
      example: "52a152…",
    }),
    AKAMAI_EDGEAUTH_TTL: withDefault(
      duration({ description: "lifetime of an EdgeAuth token" }),
      Duration.hours(4),
      "4 h",
    ),
    AKAMAI_EDGEAUTH_NAME: withDefault(
      text({ description: "name of the parameter or cookie that carries an EdgeAuth token" }),
      "hdnts",
      "hdnts",
    ),
    AKAMAI_PURGE_HOST: text({
      description: "host of the Akamai Fast Purge API: deleted media are removed from the CDN's caches",
      defaultText: "no purge",
      example: "akab-….luna.akamaiapis.net",
    }),
    AKAMAI_PURGE_CLIENT_TOKEN: text({
      description: "client token of the Fast Purge API",
      defaultText: "none",
      example: "akab-…",
    }),
    AKAMAI_PURGE_ACCESS_TOKEN: text({
      description: "access token of the Fast Purge API",
      defaultText: "none",
      example: "akab-…",
    }),
    AKAMAI_PURGE_CLIENT_SECRET: secret({
      description: "client secret of the Fast Purge API",
      defaultText: "none",
      example: "…",
    }),
    CDN_PURGE_URL: url(...httpProtocols)({
      description: 'webhook that purges the caches of another CDN: `POST {"urls": […]}`, signed like events',
      defaultText: "no purge",
      example: "https://example.com/purge",
    }),
    CDN_PURGE_SECRET: longSecret(16)({
      description: "secret of the signature of CDN_PURGE_URL, at least 16 characters",
      defaultText: "none",
      example: "…",
    }),
  },
  "Authentication and authorization": {
    JWT_SECRET: longSecret(16)({
      description: "secret of HS256 tokens, at least 16 characters",
      defaultText: "a generated secret in the data folder (for development)",
      example: "…",
    }),
    JWT_JWKS_URL: urls(...httpProtocols)({
      description:
        "URL of the public keys (JWKS) of an identity provider, instead of JWT_SECRET; several separated by commas, with the issuer of each in JWT_ISSUER",
      example: "https://id.example.com/.well-known/jwks.json",
    }),
    JWT_PUBLIC_KEY: text({
      description:
        "public key or certificate (PEM) that verifies tokens, where there is no JWKS; instead of JWT_SECRET",
      example: "-----BEGIN PUBLIC KEY-----\\n…",
    }),
    JWT_ISSUER: list({
      description: "required iss claim of tokens; several separated by commas",
      defaultText: "any",
      example: "https://id.example.com",
    }),
    JWT_AUDIENCE: text({ description: "required aud claim of tokens", defaultText: "any", example: "armoricore" }),
    JWT_USER_CLAIM: text({
      description: "claim with the user's id; a path such as user.id names a claim within another",
      defaultText: "user_id, or sub",
      example: "email",
    }),
    JWT_ROLES_CLAIM: withDefault(
      text({
        description:
          "claim with the roles, a list or one text; a path such as realm_access.roles names a claim within another, and a scope is split at spaces",
      }),
      "roles",
      "roles",
    ),
    JWT_LEEWAY: withDefault(
      durationRange(
        0,
        600,
      )({ description: "tolerated difference of clocks for the times in tokens (exp, nbf, iat), at most 10 min" }),
      Duration.seconds(30),
      "30 s",
    ),
    OIDC_ISSUER: url(...httpProtocols)({
      description:
        "OpenID Connect provider at which operators sign in to the console; its tokens are verified by JWT_JWKS_URL",
      defaultText: "operators paste a token",
      example: "https://id.example.com/realms/shop",
    }),
    OIDC_CLIENT_ID: text({
      description: "the console's id at OIDC_ISSUER: a public client with the redirect URI PUBLIC_URL/console",
      example: "armoricore-console",
    }),
    OIDC_SCOPE: withDefault(
      text({ description: "scopes that the console requests, separated by spaces" }),
      "openid profile",
      "openid profile",
    ),
    OIDC_TOKEN: withDefault(
      choice("access", "id")({ description: "token of OIDC_ISSUER that contains the roles" }),
      "access",
      "access",
    ),
    EVENT_SOURCES: withDefault(
      eventSources({ description: "event types that each external source may publish, as JSON" }),
      defaultEventSources,
      JSON.stringify(defaultEventSources),
    ),
    EVENT_SIGNING_KEYS: signingKeys({
      description: "id:secret,id:secret; if set, events of external sources must be signed",
      defaultText: "signatures are not required",
      example: "2026-01:…",
    }),
  },
  "Chat, comments and presence": realtime,
  "Access to rooms": access,
  "Push notifications": pushProviderSettings,
  "SMS and webhooks": otherProviderSettings,
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
  "Result webhook": {
    WEBHOOK_URL: url(...httpProtocols)({
      description: "URL that result events are also POSTed to",
      defaultText: "off",
      example: "https://www.example.com/armoricore",
    }),
    WEBHOOK_SECRET: longSecret(minSigningSecret)({ description: "secret that signs these requests", example: "…" }),
  },
  "External programs": {
    FFMPEG_PATH: text({
      description: "path of ffmpeg",
      defaultText: "the one on PATH, else the one that npm installed",
      example: "/usr/bin/ffmpeg",
    }),
    FFPROBE_PATH: text({
      description: "path of ffprobe",
      defaultText: "the one on PATH, else the one that npm installed",
      example: "/usr/bin/ffprobe",
    }),
  },
} as const

type GroupedName = { [G in keyof typeof settingGroups]: keyof (typeof settingGroups)[G] }[keyof typeof settingGroups]

// Spread by hand, because TypeScript infers the name and type of each setting from literal spreads only. `satisfies`
// makes a forgotten group a type error.
export const settingsTable = {
  ...settingGroups["The program"],
  ...settingGroups["Secret stores"],
  ...settingGroups["The message bus"],
  ...settingGroups.State,
  ...settingGroups["Object storage"],
  ...settingGroups["Media processing"],
  ...settingGroups.Playback,
  ...settingGroups["Authentication and authorization"],
  ...settingGroups["Chat, comments and presence"],
  ...settingGroups["Access to rooms"],
  ...settingGroups["Push notifications"],
  ...settingGroups["SMS and webhooks"],
  ...settingGroups["E-mail"],
  ...settingGroups.Notifications,
  ...settingGroups["Captions and moderation"],
  ...settingGroups["Result webhook"],
  ...settingGroups["External programs"],
} satisfies Record<GroupedName, Setting<unknown>>

export type SettingName = keyof typeof settingsTable
export type SettingValues = { readonly [N in SettingName]: (typeof settingsTable)[N]["fallback"] }
