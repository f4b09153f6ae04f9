/** The services: consumers, worker settings and Layers. A new service is one entry here. */
import * as ResultWebhook from "@armoricore/api/ResultWebhook"
import * as AiService from "@armoricore/ai/AiService"
import { event, work } from "@armoricore/bus/Address"
import * as ConsumerName from "@armoricore/bus/ConsumerName"
import type { ConsumerOptions } from "@armoricore/bus/EventBus"
import type { EventType } from "@armoricore/domain/EventRegistry"
import {
  mediaChunkKind,
  mediaCommandKind,
  longTranscodeKind,
  mediaConcatKind,
  mediaRetryKind,
} from "@armoricore/domain/MediaCommand"
import { TranscriptRetryRequest, transcriptRetryKind } from "@armoricore/domain/TranscriptCommand"
import * as MediaService from "@armoricore/media/pipeline/MediaService"
import { Quota } from "@armoricore/media/pipeline/Quota"
import * as NotifyService from "@armoricore/notify/NotifyService"
import * as RealtimeWorker from "@armoricore/realtime/pubsub/RealtimeWorker"
import { Reviews } from "@armoricore/operator"
import type { RealtimeAdmin } from "@armoricore/realtime/admin/RealtimeAdmin"
import type { Endpoint } from "@armoricore/realtime/socket/Endpoint"
import type { Inboxes } from "@armoricore/realtime/inbox/Inboxes"
import type { Topics } from "@armoricore/realtime/pubsub/Topics"
import type { MessageChanges } from "@armoricore/realtime/rooms/MessageChanges"
import type { ReadState } from "@armoricore/realtime/rooms/ReadState"
import type { RoomLog } from "@armoricore/realtime/rooms/RoomLog"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { EventSigningKeys, EventSources, UploadTokens } from "@armoricore/worker/PublishPolicy"
import { CircuitBreakers } from "@armoricore/worker/control/CircuitBreakers"
import * as WorkSchemas from "@armoricore/worker/WorkSchemas"
import * as UnhandledEventValidator from "@armoricore/worker/UnhandledEventValidator"
import { FurtherStores } from "@armoricore/worker/erasure/ErasureStore"
import { Ledger } from "@armoricore/worker/ledger/Ledger"
import * as QueueMetrics from "@armoricore/worker/QueueMetrics"
import { RetryPolicies, RetryPolicy } from "@armoricore/worker/RetryPolicy"
import * as ConsumerRegistry from "@armoricore/worker/control/ConsumerRegistry"
import { WorkerTimeouts } from "@armoricore/worker/Worker"
import * as PublishBuffer from "@armoricore/realtime/pubsub/PublishBuffer"
import { consumedTypes as moderatedTypes } from "@armoricore/ai/moderation/ModerationWorker"
import { type Context, Duration, Effect, Layer } from "effect"
import * as Adapters from "../wiring/Adapters.ts"
import * as Ai from "../wiring/Ai.ts"
import * as StorageCircuitBreaker from "../wiring/StorageCircuitBreaker.ts"
import * as Notify from "../wiring/Notify.ts"
import * as Operator from "../wiring/Operator.ts"
import { Settings } from "../settings/Settings.ts"
import { retryPolicies, toRetryPolicy } from "../settings/Retries.ts"

export const serviceNames = ["media", "notify", "ai", "realtime"] as const
export type ServiceName = (typeof serviceNames)[number]

/** Event types that each service consumes. */
const consumedTypesByService: Readonly<Record<ServiceName, ReadonlyArray<EventType>>> = {
  media: MediaService.consumedEventTypes,
  notify: NotifyService.consumedEventTypes,
  ai: AiService.consumedEventTypes,
  realtime: RealtimeWorker.consumedTypes,
}

/** Event types with a consumer. The consumer `guard` validates all others. */
export const consumedEventTypes: ReadonlyArray<EventType> = [...new Set(Object.values(consumedTypesByService).flat())]

type DurableConsumer = Pick<ConsumerOptions, "name" | "from">

const eventConsumers = (service: string, types: ReadonlyArray<EventType>): ReadonlyArray<DurableConsumer> =>
  types.map((type) => ({ name: ConsumerName.of(service, event(type)), from: event(type) }))

const workConsumers = (service: string, kinds: ReadonlyArray<string>): ReadonlyArray<DurableConsumer> =>
  kinds.map((kind) => ({ name: ConsumerName.of(service, work(service, kind)), from: work(service, kind) }))

/** The bodies of internal work, against which edited dead letters are checked. */
export const workSchemas = Layer.succeed(
  WorkSchemas.WorkSchemas,
  WorkSchemas.of({
    media: MediaService.workSchemas,
    notify: Notify.workSchemas,
    ai: { [transcriptRetryKind]: TranscriptRetryRequest },
  }),
)

/** The durable consumers of each service. */
const consumersByService: Readonly<Record<ServiceName, ReadonlyArray<DurableConsumer>>> = {
  media: [
    ...eventConsumers("media", consumedTypesByService.media),
    ...workConsumers("media", [mediaCommandKind, mediaRetryKind, longTranscodeKind, mediaChunkKind, mediaConcatKind]),
  ],
  notify: [...eventConsumers("notify", consumedTypesByService.notify), ...workConsumers("notify", Notify.workKinds)],
  ai: [...eventConsumers("ai", consumedTypesByService.ai), ...workConsumers("ai", [transcriptRetryKind])],
  realtime: [...eventConsumers("realtime", consumedTypesByService.realtime), Reviews.consumer],
}

/** Consumers of the result webhook (`WEBHOOK_URL`), which every process runs. */
export const webhookConsumers: ReadonlyArray<DurableConsumer> = eventConsumers(
  "webhook",
  ResultWebhook.webhookEventTypes,
)

/** Every process runs the validator of unhandled events, so that an installation without one of the services has it too. */
const guardConsumer: DurableConsumer = { name: UnhandledEventValidator.consumerName, from: "all-events" }

/** The consumers of these services, for setup and permissions. */
export const consumersFor = (services: Iterable<ServiceName>): ReadonlyArray<DurableConsumer> => [
  ...[...services].flatMap((service) => consumersByService[service]),
  guardConsumer,
]

/** The same without the consumers that the settings turn off: events would wait in them for ever. */
export const consumersWith = (
  settings: Settings["Service"],
  services: Iterable<ServiceName>,
): ReadonlyArray<DurableConsumer> => {
  const off = new Set(Ai.isModerating(settings) ? [] : eventConsumers("ai", moderatedTypes).map(({ name }) => name))
  return consumersFor(services).filter(({ name }) => !off.has(name))
}

/** Every durable consumer; `armoricore setup` creates them before any worker runs. */
export const allConsumers: ReadonlyArray<DurableConsumer> = consumersFor(serviceNames)

/** `EVENT_SOURCES` in the form of the API and the workers. */
export const eventSources = (settings: Settings["Service"]): ReadonlyMap<string, ReadonlySet<string>> =>
  new Map(Object.entries(settings.EVENT_SOURCES).map(([source, types]) => [source, new Set<string>(types)]))

/** The settings that all workers share. */
export const workerSettings = Layer.unwrap(
  Effect.map(Settings, (settings) =>
    Layer.mergeAll(
      Layer.succeed(EventSources, eventSources(settings)),
      Layer.effect(UploadTokens, Adapters.uploadTokens),
      Layer.succeed(EventSigningKeys, settings.EVENT_SIGNING_KEYS ?? new Map()),
      Layer.succeed(RetryPolicy, {
        maxAttempts: settings.RETRY_MAX_ATTEMPTS,
        base: settings.RETRY_BASE,
        cap: settings.RETRY_CAP,
      }),
      Layer.succeed(RetryPolicies, retryPolicies(settings.RETRY_SERVICES)),
      Layer.succeed(WorkerTimeouts, {
        leaseDuration: Duration.seconds(30),
        drainTimeout: settings.DRAIN_TIMEOUT,
        misconfigurationDelay: Duration.seconds(60),
      }),
    ),
  ),
)

const protectionOf = (settings: Settings["Service"]): Pick<MediaService.Options, "protection"> => {
  const { MEDIA_KEY_SERVER_SECRET, MEDIA_KEY_SERVER_URL, MEDIA_PROTECTION: scheme } = settings
  // A secret is there: the rules between settings ask for it.
  if (scheme === "off" || settings.MEDIA_KEY_SECRET === undefined) return {}
  const { MEDIA_KEY_PERIOD: period, MEDIA_KEY_SECRET: secret } = settings
  return {
    protection: {
      scheme,
      secret,
      ...(period === undefined ? {} : { period }),
      ...(MEDIA_KEY_SERVER_URL === undefined || MEDIA_KEY_SERVER_SECRET === undefined
        ? {}
        : { keyServer: { url: MEDIA_KEY_SERVER_URL, secret: MEDIA_KEY_SERVER_SECRET } }),
    },
  }
}

/** Media options from the settings. */
export const mediaOptions = (settings: Settings["Service"]): MediaService.Options => ({
  bucket: settings.OBJECT_STORAGE_BUCKET,
  sourceBuckets: settings.MEDIA_SOURCE_BUCKETS ?? [settings.OBJECT_STORAGE_BUCKET],
  limits: {
    maxBytes: settings.MEDIA_MAX_BYTES,
    maxSeconds: Duration.toSeconds(settings.MEDIA_MAX_DURATION),
    maxPixels: settings.MEDIA_MAX_PIXELS,
    maxStreams: settings.MEDIA_MAX_TRACKS,
  },
  thumbnails: settings.MEDIA_THUMBNAILS,
  storyboard: settings.MEDIA_STORYBOARD === "on",
  audioOnly: settings.MEDIA_AUDIO_ONLY === "on",
  concurrency: settings.MEDIA_CONCURRENCY,
  shortWorkLimit: Duration.toSeconds(settings.MEDIA_SHORT_MAX_COST),
  passthrough: settings.MEDIA_PASSTHROUGH === "on",
  chunks: {
    minDuration: Duration.toSeconds(settings.MEDIA_CHUNK_MIN_DURATION),
    chunkSeconds: settings.MEDIA_CHUNK_SECONDS,
    ...(settings.MEDIA_CHUNK_CONCURRENCY === undefined ? {} : { concurrency: settings.MEDIA_CHUNK_CONCURRENCY }),
  },
  ...(settings.MEDIA_USER_CONCURRENCY === undefined ? {} : { perUser: settings.MEDIA_USER_CONCURRENCY }),
  memoryLimit: settings.MEDIA_MAX_MEMORY,
  timeoutFactor: settings.MEDIA_TIMEOUT_FACTOR,
  stallTimeout: settings.MEDIA_STALL_TIMEOUT,
  minFreeDisk: settings.MEDIA_MIN_FREE_DISK,
  ...(settings.MEDIA_MAX_OUTPUT === undefined ? {} : { maxOutputBytes: settings.MEDIA_MAX_OUTPUT }),
  ...(settings.MEDIA_LADDER === undefined ? {} : { ladder: settings.MEDIA_LADDER }),
  ...(settings.MEDIA_CODECS === undefined ? {} : { codecs: settings.MEDIA_CODECS }),
  ...protectionOf(settings),
  ...(settings.MEDIA_MP4 === undefined ? {} : { mp4: settings.MEDIA_MP4 }),
  ...(settings.MEDIA_LOUDNESS === undefined ? {} : { loudness: settings.MEDIA_LOUDNESS }),
  ...(settings.MEDIA_WORK_DIR === undefined ? {} : { scratchDir: settings.MEDIA_WORK_DIR }),
  ...(settings.FFMPEG_PATH === undefined ? {} : { ffmpegPath: settings.FFMPEG_PATH }),
  ...(settings.FFPROBE_PATH === undefined ? {} : { ffprobePath: settings.FFPROBE_PATH }),
})

/** The daily quota per user, if one is configured. */
export const mediaQuota = Layer.unwrap(
  Effect.map(Settings, ({ MEDIA_QUOTA_BYTES: bytes, MEDIA_QUOTA_DURATION: duration, MEDIA_QUOTA_UPLOADS: uploads }) =>
    bytes === undefined && duration === undefined && uploads === undefined
      ? Quota.layerNoop
      : Quota.layerDaily({
          uploads: uploads ?? Number.POSITIVE_INFINITY,
          bytes: bytes ?? Number.POSITIVE_INFINITY,
          seconds: duration === undefined ? Number.POSITIVE_INFINITY : Duration.toSeconds(duration),
        }),
  ),
)

const media = Layer.unwrap(Effect.map(Settings, (settings) => MediaService.layer(mediaOptions(settings)))).pipe(
  Layer.provide([mediaQuota, Adapters.cdnPurge]),
)

/** Every process runs the result webhook; they share its consumers. */
const webhook = Layer.unwrap(
  Effect.map(Settings, ({ RETRY_SERVICES, WEBHOOK_SECRET: secret, WEBHOOK_URL: url }) =>
    url === undefined || secret === undefined
      ? Layer.empty
      : ResultWebhook.layer({ url, secret, retry: toRetryPolicy(RETRY_SERVICES?.webhook) }),
  ),
)

/** On the embedded bus, processes of this program are the only publishers, and these types come from realtime alone. */
const ownTypes: ReadonlyArray<EventType> = PublishBuffer.publishedTypes

const unhandledEventValidator = Layer.effectDiscard(
  Effect.flatMap(Settings, (settings) => {
    const handled = new Set(consumedEventTypes)
    if (settings.WEBHOOK_URL !== undefined) for (const type of ResultWebhook.webhookEventTypes) handled.add(type)
    if (!Ai.isModerating(settings)) for (const type of moderatedTypes) handled.delete(type)
    return UnhandledEventValidator.run(handled, settings.MESSAGE_BUS_URL === undefined ? ownTypes : [])
  }),
)

/** A local folder needs no circuit breaker. */
const guardedStorage = Layer.unwrap(
  Effect.map(Settings, ({ OBJECT_STORAGE_ENDPOINT }) =>
    OBJECT_STORAGE_ENDPOINT === undefined
      ? Layer.effect(ObjectStorage, ObjectStorage)
      : StorageCircuitBreaker.layer.pipe(Layer.provide(CircuitBreakers.layer)),
  ),
)

type RealtimeServices = Context.Context<
  Endpoint | Inboxes | MessageChanges | ReadState | RealtimeAdmin | RoomLog | Topics
>

/** The workers of these services; closing the Layer drains them. Those of realtime use the services of its sockets. */
export const workers = (services: ReadonlySet<ServiceName>, realtime: RealtimeServices | undefined) =>
  Layer.mergeAll(
    unhandledEventValidator,
    services.has("media") ? media : Layer.empty,
    services.has("notify") ? Notify.layer : Layer.empty,
    services.has("ai") ? Ai.layer : Layer.empty,
    webhook,
    QueueMetrics.layer,
    Operator.nodeStats(realtime),
    realtime === undefined
      ? Layer.empty
      : Layer.merge(RealtimeWorker.layer, Reviews.layerWorker).pipe(Layer.provide(Layer.succeedContext(realtime))),
  ).pipe(
    Layer.provide(guardedStorage),
    Layer.provide(Ledger.layer),
    Layer.provide(workerSettings),
    Layer.provide(
      Layer.effect(
        FurtherStores,
        Effect.map(Reviews.makeErasureStore, (store) => [store]),
      ),
    ),
    Layer.provide(ConsumerRegistry.layer),
  )
