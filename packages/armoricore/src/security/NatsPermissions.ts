/**
 * What each service needs of bus and state, as one table: `Setup` looks at a service's own part of it, and
 * `deploy/nats.conf` is written from it, so that neither can fall behind the code.
 */
import { revocations } from "@armoricore/auth/Revocations"
import { eventRegistry, type EventType, eventTypes, type Publisher } from "@armoricore/domain/EventRegistry"
import { chunkedEncodes, chunkOutputs } from "@armoricore/media/chunked/ChunkedEncodes"
import { quotaUsages } from "@armoricore/media/pipeline/Quota"
import { auditEntries } from "@armoricore/operator/Audit"
import { reviews } from "@armoricore/operator/Reviews"
import { buckets as channelBuckets } from "@armoricore/realtime/channels/BuiltInChannels"
import type { Bucket } from "@armoricore/state/KeyValue"
import { mediaStates } from "@armoricore/state/MediaStates"
import { deliveryStates, inboxMessages, notificationStates, suppressions } from "@armoricore/state/NotificationStates"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { ledgerBucket } from "@armoricore/worker/ledger/Ledger"
import { pauses } from "@armoricore/worker/control/CircuitRegistry"
import { consumersFor, type ServiceName, webhookConsumers } from "../app/Services.ts"

interface BucketAccess {
  readonly writes: ReadonlyArray<Bucket>
  readonly reads: ReadonlyArray<Bucket>
}

const bucketAccess: Readonly<Record<ServiceName, BucketAccess>> = {
  media: {
    writes: [mediaStates.bucket, quotaUsages.bucket, chunkedEncodes.bucket, chunkOutputs.bucket],
    reads: [transcriptStates.bucket],
  },
  notify: {
    writes: [notificationStates.bucket, deliveryStates.bucket, suppressions.bucket, inboxMessages.bucket],
    reads: [],
  },
  ai: { writes: [transcriptStates.bucket], reads: [mediaStates.bucket] },
  // It serves the HTTP API: states are looked at there, and unsubscribing suppresses.
  realtime: {
    writes: [
      revocations.bucket,
      suppressions.bucket,
      pauses.bucket,
      auditEntries.bucket,
      reviews.bucket,
      ...channelBuckets.writes,
    ],
    reads: [
      mediaStates.bucket,
      transcriptStates.bucket,
      notificationStates.bucket,
      deliveryStates.bucket,
      inboxMessages.bucket,
      ...channelBuckets.reads,
    ],
  },
}

/** The buckets that these services use, each once. */
export const bucketsFor = (chosen: Iterable<ServiceName>): ReadonlyArray<Bucket> => [
  ...new Set([
    ledgerBucket,
    pauses.bucket,
    ...[...chosen].flatMap((service) => [...bucketAccess[service].writes, ...bucketAccess[service].reads]),
  ]),
]

/** Live topics that a service tells or hears, as NATS patterns. */
const ephemeralTopics: Readonly<Record<ServiceName, ReadonlyArray<string>>> = {
  media: ["job.cancelled", "media.progress", "control.>", "pauses"],
  notify: ["job.cancelled", "control.>", "pauses"],
  ai: ["job.cancelled", "control.>", "pauses"],
  realtime: [">"],
}

/** What outside sources send over HTTP, realtime puts on the bus; and what an operator has moderation remove. */
const isPublishedOnBehalf = (type: EventType, publisher: Publisher): boolean =>
  publisher === "outside" || type === "moderation.flagged"

const publishedTypes = (service: ServiceName): ReadonlyArray<EventType> =>
  eventTypes.filter((type) => {
    const { publisher, stored } = eventRegistry[type]
    return stored && (publisher === service || (service === "realtime" && isPublishedOnBehalf(type, publisher)))
  })

const streamNameOf = ({ from }: ReturnType<typeof consumersFor>[number]): string =>
  from !== "all-events" && from.channel === "work" ? "ARMORICORE_WORK" : "ARMORICORE"

/** Groups of NATS subjects that a service's user may publish to, each with a word about them. */
export const publishPermissions = (
  service: ServiceName,
): ReadonlyArray<readonly [why: string, ReadonlyArray<string>]> => {
  const consumers = [...consumersFor([service]), ...webhookConsumers]
  const workers = service === "realtime" ? (["media", "notify", "ai"] as const) : ([service] as const)
  const deadLetterServices = [
    service,
    ...(service === "media" ? ["guard"] : []),
    ...(service === "realtime" ? ["operator"] : []),
    "webhook",
  ]
  const consumesWork = consumers.some((consumer) => streamNameOf(consumer) === "ARMORICORE_WORK")
  return [
    [
      "what it tells",
      [
        ...publishedTypes(service).map((type) => `armoricore.${type}`),
        ...workers.map((worker) => `armoricore-work.${worker}.>`),
        ...ephemeralTopics[service].map((topic) => `armoricore-live.${topic}`),
        ...deadLetterServices.map((from) => `armoricore-dead.${from}.>`),
      ],
    ],
    [
      "its consumers; those of the webhook are everyone's",
      consumers.flatMap((consumer) => {
        const name = `${streamNameOf(consumer)}.${consumer.name}`
        return [`$JS.API.CONSUMER.INFO.${name}`, `$JS.API.CONSUMER.MSG.NEXT.${name}`, `$JS.ACK.${name}.>`]
      }),
    ],
    [
      "checks at the start; the age of the oldest event; what the server gave up",
      [
        "$JS.API.INFO",
        "$JS.API.STREAM.INFO.*",
        "$JS.API.DIRECT.GET.ARMORICORE",
        "$JS.API.DIRECT.GET.ARMORICORE_WORK",
        "$JS.API.DIRECT.GET.ARMORICORE_ADVISORY",
        "$JS.API.STREAM.MSG.DELETE.ARMORICORE_ADVISORY",
        ...(consumesWork ? ["$JS.API.STREAM.MSG.DELETE.ARMORICORE_WORK"] : []),
      ],
    ],
    [
      "its state, and what it reads of others",
      // A Set, because a channel and the HTTP API may use the same bucket.
      [
        ...new Set([
          ...[ledgerBucket, ...bucketAccess[service].writes].flatMap(({ name }) => [
            `$KV.armoricore_${name}.>`,
            `$JS.API.STREAM.MSG.GET.KV_armoricore_${name}`,
          ]),
          ...[...bucketAccess[service].reads, ...(service === "realtime" ? [] : [pauses.bucket])].map(
            ({ name }) => `$JS.API.STREAM.MSG.GET.KV_armoricore_${name}`,
          ),
        ]),
      ],
    ],
    [
      "bodies of dead letters that are larger than a message",
      [
        "$O.ARMORICORE_DEAD.>",
        "$JS.API.STREAM.MSG.GET.OBJ_ARMORICORE_DEAD",
        "$JS.API.STREAM.PURGE.OBJ_ARMORICORE_DEAD",
      ],
    ],
    ...(service === "realtime" ? [historyPermissions, deadLetterPermissions(service)] : []),
  ]
}

const historyPermissions = [
  "the history of rooms",
  [
    "armoricore-history.>",
    "$JS.API.DIRECT.GET.ARMORICORE_HISTORY",
    "$JS.API.STREAM.MSG.GET.ARMORICORE_HISTORY",
    "$JS.API.STREAM.MSG.DELETE.ARMORICORE_HISTORY",
    "$JS.API.CONSUMER.CREATE.ARMORICORE_HISTORY",
    "$JS.API.CONSUMER.CREATE.ARMORICORE_HISTORY.>",
    "$JS.API.CONSUMER.INFO.ARMORICORE_HISTORY.*",
    "$JS.API.CONSUMER.MSG.NEXT.ARMORICORE_HISTORY.*",
    "$JS.API.CONSUMER.DELETE.ARMORICORE_HISTORY.*",
  ],
] as const

/** The operators' API stands where the sockets are, and a letter goes back to whichever service could not handle it. */
const deadLetterPermissions = (service: ServiceName) => {
  const own = publishedTypes(service)
  const others = eventTypes.filter((type) => eventRegistry[type].stored && !own.includes(type))
  return [
    "what operators do with the dead letters of every service: read, send again, discard",
    [
      ...others.map((type) => `armoricore.${type}`),
      "$JS.API.DIRECT.GET.ARMORICORE_DEAD",
      "$JS.API.STREAM.MSG.DELETE.ARMORICORE_DEAD",
      // A large body is read through a consumer that the client looks up and makes.
      "$JS.API.STREAM.NAMES",
      "$JS.API.CONSUMER.CREATE.OBJ_ARMORICORE_DEAD",
      "$JS.API.CONSUMER.CREATE.OBJ_ARMORICORE_DEAD.>",
      "$JS.API.CONSUMER.DELETE.OBJ_ARMORICORE_DEAD.*",
      "$JS.FC.OBJ_ARMORICORE_DEAD.>",
    ],
  ] as const
}

/** What a service's user hears. */
export const subscribePermissions = (service: ServiceName): ReadonlyArray<string> => [
  `_INBOX_${service}.>`,
  ...ephemeralTopics[service].map((topic) => `armoricore-live.${topic}`),
  // Whoever looks at a topic is told what passes now.
  ...(service === "realtime" ? ["armoricore.>"] : []),
]
