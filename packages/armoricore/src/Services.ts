/** Which services there are, what each needs, and what they have in common. A new service is one entry here. */
import * as Webhook from "@armoricore/api/Webhook"
import { reads as aiReads } from "@armoricore/ai/AiService"
import { event, work } from "@armoricore/bus/Address"
import type { ConsumerOptions } from "@armoricore/bus/EventBus"
import type { EventType } from "@armoricore/domain/Events"
import {
  mediaChunkKind,
  mediaControlKind,
  mediaFilmKind,
  mediaJoinKind,
  mediaRetryKind,
} from "@armoricore/domain/MediaControl"
import { transcriptRetryKind } from "@armoricore/domain/TranscriptControl"
import * as MediaService from "@armoricore/media/MediaService"
import * as Quota from "@armoricore/media/Quota"
import * as RealtimeWorker from "@armoricore/realtime/RealtimeWorker"
import { Reviews } from "@armoricore/operator"
import type { Endpoint } from "@armoricore/realtime/Endpoint"
import type { Timeline } from "@armoricore/realtime/Timeline"
import type { Topics } from "@armoricore/realtime/Topics"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { EventSigningKeys, EventSources } from "@armoricore/worker/Authorization"
import { Dependencies } from "@armoricore/worker/Dependencies"
import * as Guard from "@armoricore/worker/Guard"
import { Ledger } from "@armoricore/worker/Ledger"
import * as QueueMetrics from "@armoricore/worker/QueueMetrics"
import { RetryPolicies, RetryPolicy } from "@armoricore/worker/Retry"
import * as RunningConsumers from "@armoricore/worker/RunningConsumers"
import { WorkerTimes } from "@armoricore/worker/Worker"
import { type Context, Duration, Effect, Layer } from "effect"
import * as Ai from "./Ai.ts"
import * as GuardedStorage from "./GuardedStorage.ts"
import * as Notify from "./Notify.ts"
import * as Operator from "./Operator.ts"
import { Settings } from "./Settings.ts"
import { differing, policyOf } from "./settings/Retries.ts"

export const names = ["media", "notify", "ai", "realtime"] as const
export type ServiceName = (typeof names)[number]

/** Event types that each worker reads. */
const reads: Readonly<Record<ServiceName, ReadonlyArray<EventType>>> = {
  media: ["media.uploaded", "media.failed", "media.ready", "transcription.complete"],
  notify: Notify.readTypes,
  ai: aiReads,
  realtime: RealtimeWorker.readTypes,
}

/** Those that workers of this installation read; the guard judges all others. */
export const readTypes: ReadonlyArray<EventType> = [...new Set(Object.values(reads).flat())]

type Durable = Pick<ConsumerOptions, "name" | "from">

const reading = (service: string, types: ReadonlyArray<EventType>): ReadonlyArray<Durable> =>
  types.map((type) => ({ name: `${service}-${type.replaceAll(/[._]/g, "-")}`, from: event(type) }))

const working = (service: string, kinds: ReadonlyArray<string>): ReadonlyArray<Durable> =>
  kinds.map((kind) => ({ name: `${service}-work-${kind}`, from: work(service, kind) }))

/** The durable consumers of each service; the guard runs beside media. */
const own: Readonly<Record<ServiceName, ReadonlyArray<Durable>>> = {
  media: [
    ...reading("media", reads.media),
    ...working("media", [mediaControlKind, mediaRetryKind, mediaFilmKind, mediaChunkKind, mediaJoinKind]),
    { name: Guard.consumerName, from: "all-events" },
  ],
  notify: [...reading("notify", reads.notify), ...working("notify", Notify.workKinds)],
  ai: [...reading("ai", reads.ai), ...working("ai", [transcriptRetryKind])],
  realtime: [...reading("realtime", reads.realtime), Reviews.consumer],
}

/** Those that tell the backend where `WEBHOOK_URL` is set; every process has a part in them. */
export const webhookConsumers: ReadonlyArray<Durable> = reading("webhook", Webhook.types)

/** What these services read, so that it can be made or looked at before a worker runs. */
export const consumersOf = (chosen: Iterable<ServiceName>): ReadonlyArray<Durable> =>
  [...chosen].flatMap((service) => own[service])

/** Every durable consumer, so that `armoricore setup` can make it before a worker ran. */
export const consumers: ReadonlyArray<Durable> = consumersOf(names)

/** `EVENT_SOURCES` as the API and the workers read it. */
export const sourcesOf = (settings: Settings["Service"]): ReadonlyMap<string, ReadonlySet<string>> =>
  new Map(Object.entries(settings.EVENT_SOURCES).map(([source, types]) => [source, new Set<string>(types)]))

/** What the settings say to every worker. */
export const rules = Layer.unwrap(
  Effect.map(Settings, (settings) =>
    Layer.mergeAll(
      Layer.succeed(EventSources, sourcesOf(settings)),
      Layer.succeed(EventSigningKeys, settings.EVENT_SIGNING_KEYS ?? new Map()),
      Layer.succeed(RetryPolicy, {
        maxAttempts: settings.RETRY_MAX_ATTEMPTS,
        base: settings.RETRY_BASE,
        cap: settings.RETRY_CAP,
      }),
      Layer.succeed(RetryPolicies, differing(settings.RETRY_SERVICES)),
      Layer.succeed(WorkerTimes, {
        lease: Duration.seconds(30),
        grace: settings.DRAIN_GRACE,
        configurationPause: Duration.seconds(60),
      }),
    ),
  ),
)

/** What the settings say of media. */
export const mediaOptionsOf = (settings: Settings["Service"]): MediaService.Options => ({
  bucket: settings.OBJECT_STORAGE_BUCKET,
  sourceBuckets: settings.MEDIA_SOURCE_BUCKETS ?? [settings.OBJECT_STORAGE_BUCKET],
  limits: {
    bytes: settings.MEDIA_MAX_BYTES,
    seconds: Duration.toSeconds(settings.MEDIA_MAX_DURATION),
    pixels: settings.MEDIA_MAX_PIXELS,
    streams: settings.MEDIA_MAX_TRACKS,
  },
  thumbnails: settings.MEDIA_THUMBNAILS,
  storyboard: settings.MEDIA_STORYBOARD === "on",
  audioOnly: settings.MEDIA_AUDIO_ONLY === "on",
  concurrency: settings.MEDIA_CONCURRENCY,
  shortWork: Duration.toSeconds(settings.MEDIA_SHORT),
  copy: settings.MEDIA_COPY === "on",
  chunks: {
    from: Duration.toSeconds(settings.MEDIA_CHUNK_FROM),
    seconds: settings.MEDIA_CHUNK_SECONDS,
    ...(settings.MEDIA_CHUNK_CONCURRENCY === undefined ? {} : { concurrency: settings.MEDIA_CHUNK_CONCURRENCY }),
  },
  ...(settings.MEDIA_USER_CONCURRENCY === undefined ? {} : { perUser: settings.MEDIA_USER_CONCURRENCY }),
  memory: settings.MEDIA_MAX_MEMORY,
  secondsPerSecond: settings.MEDIA_MAX_SLOWNESS,
  stuckAfter: settings.MEDIA_STUCK_AFTER,
  freeDisk: settings.MEDIA_FREE_DISK,
  ...(settings.MEDIA_MAX_OUTPUT === undefined ? {} : { maxOutput: settings.MEDIA_MAX_OUTPUT }),
  ...(settings.MEDIA_LADDER === undefined ? {} : { ladder: settings.MEDIA_LADDER }),
  ...(settings.MEDIA_MP4 === undefined ? {} : { mp4: settings.MEDIA_MP4 }),
  ...(settings.MEDIA_LOUDNESS === undefined ? {} : { loudness: settings.MEDIA_LOUDNESS }),
  ...(settings.MEDIA_WORK_DIR === undefined ? {} : { workFolder: settings.MEDIA_WORK_DIR }),
  ...(settings.FFMPEG_PATH === undefined ? {} : { ffmpegPath: settings.FFMPEG_PATH }),
  ...(settings.FFPROBE_PATH === undefined ? {} : { ffprobePath: settings.FFPROBE_PATH }),
})

/** The daily quota where one is set; nobody is limited otherwise. */
export const mediaQuota = Layer.unwrap(
  Effect.map(Settings, ({ MEDIA_QUOTA_BYTES: bytes, MEDIA_QUOTA_DURATION: duration, MEDIA_QUOTA_UPLOADS: uploads }) =>
    bytes === undefined && duration === undefined && uploads === undefined
      ? Layer.empty
      : Quota.layerDaily({
          uploads: uploads ?? Number.POSITIVE_INFINITY,
          bytes: bytes ?? Number.POSITIVE_INFINITY,
          seconds: duration === undefined ? Number.POSITIVE_INFINITY : Duration.toSeconds(duration),
        }),
  ),
)

const media = Layer.unwrap(Effect.map(Settings, (settings) => MediaService.layer(mediaOptionsOf(settings)))).pipe(
  Layer.provide(mediaQuota),
)

/** Every process tells the backend; they share the work. */
const webhook = Layer.unwrap(
  Effect.map(Settings, ({ RETRY_SERVICES, WEBHOOK_SECRET: secret, WEBHOOK_URL: url }) =>
    url === undefined || secret === undefined
      ? Layer.empty
      : Webhook.layer({ url, secret, retry: policyOf(RETRY_SERVICES?.webhook) }),
  ),
)

const guard = Layer.effectDiscard(
  Effect.flatMap(Settings, ({ WEBHOOK_URL }) =>
    Guard.run(new Set(WEBHOOK_URL === undefined ? readTypes : [...readTypes, ...Webhook.types])),
  ),
)

/** A folder of our own is never away. */
const storage = Layer.unwrap(
  Effect.map(Settings, ({ OBJECT_STORAGE_ENDPOINT }) =>
    OBJECT_STORAGE_ENDPOINT === undefined
      ? Layer.effect(ObjectStorage, ObjectStorage)
      : GuardedStorage.layer.pipe(Layer.provide(Dependencies.layer)),
  ),
)

type Sockets = Context.Context<Endpoint | Timeline | Topics>

/** The workers among these services; closing the Layer drains them. Realtime's stands on what its sockets share. */
export const workers = (chosen: ReadonlySet<ServiceName>, sockets: Sockets | undefined) =>
  Layer.mergeAll(
    chosen.has("media") ? Layer.merge(media, guard) : Layer.empty,
    chosen.has("notify") ? Notify.layer : Layer.empty,
    chosen.has("ai") ? Ai.layer : Layer.empty,
    webhook,
    QueueMetrics.layer,
    Operator.answers(sockets),
    sockets === undefined
      ? Layer.empty
      : Layer.merge(RealtimeWorker.layer, Reviews.layerWorker).pipe(Layer.provide(Layer.succeedContext(sockets))),
  ).pipe(
    Layer.provide(storage),
    Layer.provide(Ledger.layer),
    Layer.provide(rules),
    Layer.provide(RunningConsumers.layer),
  )
