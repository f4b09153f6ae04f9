/** The API over memory adapters, behind a real HTTP server on a free port. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Revocations from "@armoricore/auth/Revocations"
import * as Tokens from "@armoricore/auth/Tokens"
import { EventBus } from "@armoricore/bus/EventBus"
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus"
import { TransientError } from "@armoricore/domain/Errors"
import { History } from "@armoricore/history/History"
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory"
import * as Realtime from "@armoricore/realtime/Realtime"
import * as MemoryState from "@armoricore/state/memory/MemoryState"
import { ObjectSigner } from "@armoricore/storage/local/ObjectSigner"
import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage"
import { PublicUrl } from "@armoricore/storage/PublicUrl"
import { Duration, Effect, Layer, Redacted } from "effect"
import { HttpClient, HttpClientRequest, HttpRouter } from "effect/http"
import * as ApiRoutes from "../../src/ApiRoutes.ts"
import type { EventsOptions } from "../../src/EventHandlers.ts"
import * as NotFoundRoute from "../../src/NotFoundRoute.ts"
import type * as TusHandlers from "../../src/tus/TusHandlers.ts"
import { routerConfig } from "../../src/RouterConfig.ts"
import * as UploadHandlers from "../../src/UploadHandlers.ts"

export const tokenKey = Redacted.make("the key of upload tokens of this test")

export const sources = new Map([["php-backend", new Set(["media.uploaded", "notification.requested"])]])

const ports = Layer.mergeAll(
  MemoryState.layer,
  MemoryStorage.layerNoDeps().pipe(
    Layer.provide(ObjectSigner.layer({ key: Redacted.make("a key of this test") })),
    Layer.provide(PublicUrl.layerFixed("http://127.0.0.1:4000")),
  ),
  Tokens.layer({ keys: { _tag: "Secret", secret: Redacted.make("a secret of this test, 32 bytes and more") } }),
)

export const apiServer = (
  options: Partial<EventsOptions> = {},
  bus: Layer.Layer<EventBus> = MemoryBus.layer,
  history: Layer.Layer<History> = MemoryHistory.layer(),
  resumable: TusHandlers.TusOptions = { expiresIn: Duration.days(1) },
  origins: ReadonlyArray<string> = [],
) =>
  apiRoutes(options, resumable, origins).pipe(
    Layer.provideMerge(Realtime.layer()),
    Layer.provideMerge(Revocations.layer),
    Layer.provideMerge([ports, history]),
    Layer.provideMerge(bus),
    Layer.provideMerge(NodeHttpServer.layerTest),
  )

/** The routes alone; a second node serves them over the same ports. */
export const apiRoutes = (
  options: Partial<EventsOptions>,
  resumable: TusHandlers.TusOptions,
  origins: ReadonlyArray<string> = [],
) =>
  HttpRouter.serve(
    Layer.mergeAll(
      ApiRoutes.layer({
        events: { sources, signingKeys: new Map(), uploadTokens: { key: tokenKey, required: false }, ...options },
        uploads: { bucket: "media", tokenKey, ...UploadHandlers.defaults },
        resumable,
        transcripts: { policy: "owner" },
        origins,
      }),
      NotFoundRoute.layer,
    ),
    { disableLogger: true, disableListenLog: true, routerConfig },
  )

const historyAway = new TransientError({ dependency: "history", code: "unavailable", message: "away" })

/** A history that stores nothing and answers nothing. */
export const historyUnavailable = Layer.mock(History, {
  append: () => Effect.fail(historyAway),
  read: () => Effect.fail(historyAway),
})

const unused = () => Effect.die("not used here")

/** A bus that takes subscriptions (revoked tokens need one) and rejects every publication. */
export const busUnavailable = Layer.mock(EventBus, {
  system: "unavailable",
  deadLetters: { list: unused, get: unused, remove: unused },
  subscribe: () => Effect.void,
  publish: () =>
    Effect.fail(new TransientError({ dependency: "bus", code: "unavailable", message: "the bus does not answer" })),
})

export const signToken = Effect.fnUntraced(function* (userId: string, ...roles: ReadonlyArray<string>) {
  const tokens = yield* Tokens.Tokens
  return yield* tokens.sign({ userId, roles, ttl: Duration.minutes(5) })
})

export const sendRequest = Effect.fnUntraced(function* (
  method: "GET" | "POST" | "PUT" | "DELETE",
  path: string,
  options: {
    readonly token?: string
    readonly body?: string
    readonly headers?: Readonly<Record<string, string>>
  } = {},
) {
  const response = yield* HttpClientRequest.make(method)(path).pipe(
    (request) => (options.token === undefined ? request : HttpClientRequest.bearerToken(request, options.token)),
    HttpClientRequest.setHeaders(options.headers ?? {}),
    (request) =>
      options.body === undefined ? request : HttpClientRequest.bodyText(request, options.body, "application/json"),
    HttpClient.execute,
  )
  return {
    status: response.status,
    headers: response.headers,
    body: response.status === 204 ? null : yield* response.json,
  }
})

export const uploadedEvent = (fields: Readonly<Record<string, unknown>> = {}) => ({
  event_type: "media.uploaded",
  event_id: "3f0c2d6e-6b0f-4d27-9d0c-1a2b3c4d5e6f",
  timestamp: "2026-01-31T12:00:00+01:00",
  source: "php-backend",
  payload: { media_id: "m1", user_id: 7, file_path: "s3://media/uploads/a.mp4", metadata: [] },
  ...fields,
})
