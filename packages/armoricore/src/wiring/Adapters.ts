/**
 * Chooses the adapter of each port from the settings; nothing else does. Dynamic imports load the libraries of the chosen
 * adapters only.
 */
import * as Tokens from "@armoricore/auth/Tokens"
import type { EventBus } from "@armoricore/bus/EventBus"
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import * as UploadToken from "@armoricore/domain/UploadToken"
import type { History } from "@armoricore/history/History"
import * as EmbeddedEngine from "@armoricore/embedded/EmbeddedEngine"
import type { KeyValue } from "@armoricore/state/KeyValue"
import { ObjectSigner } from "@armoricore/storage/local/ObjectSigner"
import type { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls"
import { PublicUrl } from "@armoricore/storage/PublicUrl"
import { Context, Duration, Effect, type FileSystem, Layer, Path, Redacted } from "effect"
import { createHmac } from "node:crypto"
import { generatedSecret } from "../security/GeneratedSecret.ts"
import { readOptionalSettingFile, Settings } from "../settings/Settings.ts"

type AdapterError = TransientError | ConfigurationError

/**
 * Access to the embedded data folder. `owner`: a running program. `worker`: its child process, a client of the owner.
 * `shared`: a command, a client of a running owner or, without one, the owner for a short time.
 */
export type ProcessRole = "owner" | "shared" | "worker"

/** Bus, state and history. They share one NATS connection, or one embedded engine. */
export const busAndState = (
  role: ProcessRole,
): Layer.Layer<EventBus | KeyValue | History, AdapterError, Settings | FileSystem.FileSystem | Path.Path> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const settings = yield* Settings
      const servers = settings.MESSAGE_BUS_URL
      if (servers !== undefined) return yield* servers.some(isRabbit) ? rabbit(role, servers) : nats(role, servers)
      const { layer: bus } = yield* Effect.promise(() => import("@armoricore/bus/embedded/EmbeddedBus"))
      const { layer: state } = yield* Effect.promise(() => import("@armoricore/state/embedded/EmbeddedState"))
      const { layer: history } = yield* Effect.promise(() => import("@armoricore/history/embedded/EmbeddedHistory"))
      const folder = yield* dataDirectory("engine")
      const engine = engineLayers[role]({ folder })
      const postgresLayer = yield* postgres
      return Layer.merge(bus, postgresLayer ?? Layer.merge(state, history(yield* retention))).pipe(
        Layer.provide(engine),
      )
    }),
  )

const engineLayers = {
  owner: EmbeddedEngine.layerOwner,
  shared: EmbeddedEngine.layerShared,
  worker: EmbeddedEngine.layerClient,
}

const isRabbit = (address: string) => address.startsWith("amqp")

/** State and history in PostgreSQL; undefined without STATE_URL. */
const postgres = Effect.gen(function* () {
  const { STATE_CA, STATE_URL } = yield* Settings
  if (STATE_URL === undefined) return undefined
  const ca = yield* readOptionalSettingFile("STATE_CA", STATE_CA)
  const { layer: state } = yield* Effect.promise(() => import("@armoricore/state/postgres/PostgresState"))
  const { layer: history } = yield* Effect.promise(() => import("@armoricore/history/postgres/PostgresHistory"))
  const server = { url: Redacted.make(STATE_URL), ...(ca === undefined ? {} : { ca }) }
  return Layer.merge(state(server), history({ ...server, ...(yield* retention) }))
})

const rabbit = Effect.fnUntraced(function* (role: ProcessRole, servers: ReadonlyArray<string>) {
  const { EventBus } = yield* Effect.promise(() => import("@armoricore/bus/EventBus"))
  const { layer: bus } = yield* Effect.promise(() => import("@armoricore/bus/rabbitmq/RabbitBus"))
  const ca = yield* readOptionalSettingFile("AMQP_CA", (yield* Settings).AMQP_CA)
  const postgresLayer = yield* postgres
  if (postgresLayer === undefined) {
    return yield* new ConfigurationError({
      setting: "STATE_URL",
      message: "STATE_URL is missing: RabbitMQ cannot store state; set a postgres:// URL",
    })
  }
  // A program waits for its bus without limit, a command only for 10 s. Rejected credentials fail both at once.
  const awaitConnection = Layer.effectDiscard(
    Effect.flatMap(EventBus, ({ setup }) =>
      Effect.timeoutOrElse(setup([]), {
        duration: role === "shared" ? "10 seconds" : Duration.infinity,
        orElse: () => Effect.fail(busUnavailable(servers)),
      }),
    ),
  )
  return Layer.merge(
    awaitConnection.pipe(Layer.provideMerge(bus({ servers, ...(ca === undefined ? {} : { ca }) }))),
    postgresLayer,
  )
})

const busUnavailable = (servers: ReadonlyArray<string>) =>
  new TransientError({
    dependency: "bus",
    code: "unavailable",
    message: `cannot connect to RabbitMQ at ${servers.map((server) => new URL(server).host).join(", ")}`,
  })

const nats = Effect.fnUntraced(function* (role: ProcessRole, servers: ReadonlyArray<string>) {
  const settings = yield* Settings
  const { NatsConnection, layer: connection } = yield* Effect.promise(() => import("@armoricore/nats/NatsConnection"))
  const { layer: bus } = yield* Effect.promise(() => import("@armoricore/bus/nats/NatsBus"))
  const { layer: state } = yield* Effect.promise(() => import("@armoricore/state/nats/NatsState"))
  const { layer: history } = yield* Effect.promise(() => import("@armoricore/history/nats/NatsHistory"))
  const creds = yield* readOptionalSettingFile("NATS_CREDS", settings.NATS_CREDS)
  const ca = yield* readOptionalSettingFile("NATS_CA", settings.NATS_CA)
  const { NATS_EVENTS_MAX_BYTES: maxBytes, NATS_REPLICAS: replicas, NATS_SETUP: manage } = settings
  const inbox = settings.NATS_INBOX_PREFIX === undefined ? {} : { inboxPrefix: settings.NATS_INBOX_PREFIX }
  const connectionLayer = connection({
    servers,
    ...(creds === undefined ? {} : { creds: Redacted.make(creds) }),
    ...(settings.NATS_NKEY_SEED === undefined ? {} : { nkeySeed: settings.NATS_NKEY_SEED }),
    ...(ca === undefined ? {} : { ca }),
    ...inbox,
  })
  // A program waits for its bus without limit, a command only for 10 s. Rejected credentials fail both at once.
  const awaitConnection = Layer.effectDiscard(
    Effect.flatMap(NatsConnection, (link) =>
      role === "shared"
        ? Effect.timeoutOrElse(link.connected, { duration: "10 seconds", orElse: () => link.client })
        : link.connected,
    ),
  )
  const postgresLayer = yield* postgres
  const historyOptions = {
    maxBytes: settings.NATS_HISTORY_MAX_BYTES,
    replicas,
    manage,
    ...inbox,
    ...(yield* retention),
  }
  return Layer.mergeAll(
    bus({ maxBytes, replicas, manage, ...inbox }),
    postgresLayer ?? Layer.merge(state({ replicas, manage, ...inbox }), history(historyOptions)),
    awaitConnection,
  ).pipe(Layer.provide(connectionLayer))
})

/** Retention of the history. */
const retention = Effect.map(Settings, ({ HISTORY_MAX_AGE: maxAge, HISTORY_MAX_ITEMS: maxPerRoom }) => ({
  maxAge,
  maxPerRoom,
}))

/** Object storage, and the signer of URLs that this program serves itself. */
const storage: Layer.Layer<
  ObjectStorage | ObjectSigner,
  ConfigurationError,
  Settings | PublicUrl | FileSystem.FileSystem | Path.Path
> = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Settings
    const signer = ObjectSigner.layer({ key: yield* urlSigningKey })
    const { OBJECT_STORAGE_ACCESS_KEY: accessKey, OBJECT_STORAGE_ENDPOINT: endpoint } = settings
    const secretKey = settings.OBJECT_STORAGE_SECRET_KEY
    if (endpoint === undefined || accessKey === undefined || secretKey === undefined) {
      const { layer } = yield* Effect.promise(() => import("@armoricore/storage/local/LocalStorage"))
      return layer({ folder: yield* dataDirectory("objects") }).pipe(Layer.provideMerge(signer))
    }
    const { layer } = yield* Effect.promise(() => import("@armoricore/storage/s3/S3Storage"))
    return Layer.merge(layer({ endpoint, region: settings.OBJECT_STORAGE_REGION, accessKey, secretKey }), signer)
  }),
)

/** Playback URLs: of the CDN, or of this program. */
const playback: Layer.Layer<
  PlaybackUrls,
  ConfigurationError,
  Settings | PublicUrl | FileSystem.FileSystem | Path.Path
> = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Settings
    const { layerProxy } = yield* Effect.promise(() => import("@armoricore/storage/PlaybackProxy"))
    const proxy = layerProxy({ key: yield* urlSigningKey })
    if (settings.CDN_BASE_URL === undefined) return proxy
    const { layerCdn } = yield* Effect.promise(() => import("@armoricore/storage/PlaybackCdn"))
    const { keysFor } = Context.get(yield* Layer.build(proxy), PlaybackUrls)
    return layerCdn({
      keysFor,
      baseUrl: settings.CDN_BASE_URL,
      ...(settings.AKAMAI_EDGEAUTH_KEY === undefined
        ? {}
        : {
            edgeAuth: {
              key: settings.AKAMAI_EDGEAUTH_KEY,
              expiresIn: settings.AKAMAI_EDGEAUTH_TTL,
              name: settings.AKAMAI_EDGEAUTH_NAME,
            },
          }),
    })
  }),
)

/** Only the state, without the bus where possible: `doctor` reports each dependency separately. */
export const state = Layer.unwrap(Effect.map(postgres, (postgresLayer) => postgresLayer ?? busAndState("shared")))

/** Only the object storage. */
export const objectStorage = Layer.provide(storage, PublicUrl.layer)

/** Every port. The listener sets `PublicUrl` when it starts. */
export const layer = (role: ProcessRole) =>
  Layer.mergeAll(busAndState(role), storage, playback, role === "owner" ? urlSecretWarning : Layer.empty).pipe(
    Layer.provideMerge(PublicUrl.layer),
  )

/** JWT_JWKS_URL, JWT_PUBLIC_KEY or JWT_SECRET; without them a generated secret. */
const tokenKeys = Effect.gen(function* () {
  const { JWT_JWKS_URL, JWT_PUBLIC_KEY, JWT_SECRET } = yield* Settings
  const keys: Tokens.TokensOptions["keys"] =
    JWT_JWKS_URL !== undefined
      ? { _tag: "Jwks", urls: JWT_JWKS_URL.map((address) => new URL(address)) }
      : JWT_PUBLIC_KEY !== undefined
        ? { _tag: "PublicKey", pem: JWT_PUBLIC_KEY }
        : {
            _tag: "Secret",
            secret: JWT_SECRET ?? (yield* generatedSecret("jwt", "a JWT secret (JWT_SECRET is not set)")),
          }
  return keys
})

/** Verifies tokens with the configured keys and claims. */
export const tokens = Layer.unwrap(
  Effect.gen(function* () {
    const { JWT_AUDIENCE, JWT_ISSUER, JWT_LEEWAY, JWT_ROLES_CLAIM, JWT_USER_CLAIM } = yield* Settings
    return Tokens.layer({
      keys: yield* tokenKeys,
      leeway: JWT_LEEWAY,
      rolesClaim: JWT_ROLES_CLAIM,
      ...(JWT_USER_CLAIM === undefined ? {} : { userClaim: JWT_USER_CLAIM }),
      ...(JWT_ISSUER === undefined ? {} : { issuers: JWT_ISSUER }),
      ...(JWT_AUDIENCE === undefined ? {} : { audience: JWT_AUDIENCE }),
    })
  }),
)

/** Routes for the URLs that this program signs; the process with the listener serves them. */
export const routes = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Settings
    const LocalObjects = yield* Effect.promise(() => import("@armoricore/storage/local/SignedUrlRoutes"))
    const PlaybackProxy = yield* Effect.promise(() => import("@armoricore/storage/PlaybackProxy"))
    const { makeReader } = yield* Effect.promise(() => import("@armoricore/media/protection/ContentKeys"))
    const secret = settings.MEDIA_KEY_SECRET
    const play = PlaybackProxy.routes({
      key: yield* urlSigningKey,
      ...(secret === undefined ? {} : { keysOf: yield* makeReader(secret) }),
    })
    return settings.OBJECT_STORAGE_ENDPOINT === undefined ? Layer.merge(play, LocalObjects.routes()) : play
  }),
)

/** Media signs URLs that realtime verifies, and realtime signs upload tokens that media verifies, so processes with different data folders need a common secret. */
const urlSecretWarning = Layer.effectDiscard(
  Effect.gen(function* () {
    const { CDN_BASE_URL, JWT_SECRET, MESSAGE_BUS_URL, URL_SECRET } = yield* Settings
    if (MESSAGE_BUS_URL === undefined || (URL_SECRET ?? JWT_SECRET) !== undefined) return
    const signed = CDN_BASE_URL === undefined ? "playback URLs and upload tokens" : "upload tokens"
    yield* Effect.logWarning(
      `URL_SECRET is not set: ${signed} are signed with a generated key of this data folder, and a process with another data folder rejects them; set the same URL_SECRET in media, ai and realtime`,
    )
  }),
)

/** Removes deleted media from the caches of the CDN, if one of the two ways is set. */
export const cdnPurge = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Settings
    const {
      AKAMAI_PURGE_ACCESS_TOKEN: accessToken = "",
      AKAMAI_PURGE_CLIENT_SECRET: clientSecret,
      AKAMAI_PURGE_CLIENT_TOKEN: clientToken = "",
      AKAMAI_PURGE_HOST: host,
      CDN_BASE_URL: baseUrl = "",
      CDN_PURGE_SECRET: secret,
      CDN_PURGE_URL: url,
    } = settings
    if (host !== undefined && clientSecret !== undefined) {
      const { layer } = yield* Effect.promise(() => import("@armoricore/storage/purge/AkamaiPurge"))
      return layer({ host, accessToken, clientToken, clientSecret, baseUrl })
    }
    if (url === undefined || secret === undefined) return Layer.empty
    const { layer } = yield* Effect.promise(() => import("@armoricore/storage/purge/WebhookPurge"))
    return layer({ url, secret, baseUrl })
  }),
)

/** The key of signed URLs: the same in all processes that share URL_SECRET or JWT_SECRET. */
const urlSigningKey = Effect.gen(function* () {
  const { JWT_SECRET, URL_SECRET } = yield* Settings
  if (URL_SECRET !== undefined) return URL_SECRET
  return JWT_SECRET === undefined
    ? yield* generatedSecret("storage-urls", "a key for signed URLs")
    : Redacted.make(
        createHmac("sha256", Redacted.value(JWT_SECRET)).update("armoricore signed urls").digest("base64url"),
      )
})

/** `MEDIA_UPLOAD_TOKEN`, with the key of the tokens. */
export const uploadTokens = Effect.gen(function* () {
  const { MEDIA_UPLOAD_TOKEN } = yield* Settings
  return { key: UploadToken.deriveKey(yield* urlSigningKey), required: MEDIA_UPLOAD_TOKEN === "required" }
})

const dataDirectory = Effect.fnUntraced(function* (name: string) {
  const { join, resolve } = yield* Path.Path
  return resolve(join((yield* Settings).ARMORICORE_DATA_DIR, name))
})
