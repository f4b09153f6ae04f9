/**
 * The NATS subjects and state buckets that each service needs. `Setup` and the generated `deploy/nats.conf` both use this
 * table, so neither can get out of date.
 */
import { revocations } from "@armoricore/auth/Revocations"
import { eventRegistry, type EventType, eventTypes, type Publisher } from "@armoricore/domain/EventRegistry"
import { chunkedEncodes, chunkOutputs } from "@armoricore/media/chunked/ChunkedEncodes"
import { mediaKeys } from "@armoricore/media/protection/ContentKeys"
import { quotaUsages } from "@armoricore/media/pipeline/Quota"
import { auditEntries } from "@armoricore/operator/Audit"
import { reviews } from "@armoricore/operator/Reviews"
import { roomMembers } from "@armoricore/realtime/access/RoomMembers"
import { buckets as channelBuckets } from "@armoricore/realtime/channels/BuiltInChannels"
import type { Bucket } from "@armoricore/state/KeyValue"
import { erasures, erasingServices } from "@armoricore/state/ErasureStates"
import { mediaDeletions, mediaStates } from "@armoricore/state/MediaStates"
import { deliveryStates, inboxMessages, notificationStates, suppressions } from "@armoricore/state/NotificationStates"
import { audienceChunks } from "@armoricore/state/AudienceChunks"
import { audienceMembers, audienceSends } from "@armoricore/state/Audiences"
import { resumableUploads } from "@armoricore/state/ResumableUploads"
import { userInboxes } from "@armoricore/state/UserInbox"
import { runListings, workflowRuns } from "@armoricore/state/WorkflowRuns"
import { userDevices } from "@armoricore/state/UserDevices"
import { userPreferences } from "@armoricore/state/UserPreferences"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { scheduledMessages } from "@armoricore/worker/ScheduledWork"
import { ledgerBucket } from "@armoricore/worker/ledger/Ledger"
import { pauses } from "@armoricore/worker/control/CircuitRegistry"
import { consumersFor, type ServiceName, webhookConsumers } from "../app/Services.ts"

interface BucketAccess {
  readonly writes: ReadonlyArray<Bucket>
  readonly reads: ReadonlyArray<Bucket>
}

const bucketAccess: Readonly<Record<ServiceName, BucketAccess>> = {
  media: {
    writes: [
      mediaStates.bucket,
      mediaDeletions.bucket,
      quotaUsages.bucket,
      chunkedEncodes.bucket,
      chunkOutputs.bucket,
      mediaKeys.bucket,
      // Only to delete the transcripts of a deleted media.
      transcriptStates.bucket,
      // Only to remove the uploads of deleted media and erased users.
      resumableUploads.bucket,
    ],
    reads: [],
  },
  notify: {
    writes: [
      notificationStates.bucket,
      deliveryStates.bucket,
      suppressions.bucket,
      inboxMessages.bucket,
      scheduledMessages.bucket,
      workflowRuns.bucket,
      runListings.bucket,
      audienceSends.bucket,
      audienceChunks.bucket,
    ],
    reads: [userDevices.bucket, userPreferences.bucket, userInboxes.bucket, audienceMembers.bucket],
  },
  ai: { writes: [transcriptStates.bucket], reads: [mediaStates.bucket, mediaDeletions.bucket] },
  // Realtime serves the HTTP API, which reads states, and writes suppressions when a user unsubscribes.
  realtime: {
    writes: [
      revocations.bucket,
      suppressions.bucket,
      pauses.bucket,
      auditEntries.bucket,
      reviews.bucket,
      userDevices.bucket,
      roomMembers.bucket,
      userPreferences.bucket,
      audienceMembers.bucket,
      resumableUploads.bucket,
      ...channelBuckets.writes,
    ],
    reads: [
      mediaStates.bucket,
      mediaDeletions.bucket,
      mediaKeys.bucket,
      transcriptStates.bucket,
      notificationStates.bucket,
      deliveryStates.bucket,
      inboxMessages.bucket,
      workflowRuns.bucket,
      runListings.bucket,
      audienceSends.bucket,
      audienceChunks.bucket,
      ...channelBuckets.reads,
    ],
  },
}

/** The buckets that these services use, each once. */
export const bucketsFor = (services: Iterable<ServiceName>): ReadonlyArray<Bucket> => [
  ...new Set([
    ledgerBucket,
    pauses.bucket,
    erasures.bucket,
    erasingServices.bucket,
    ...[...services].flatMap((service) => [...bucketAccess[service].writes, ...bucketAccess[service].reads]),
  ]),
]

/** Ephemeral topics that a service publishes or subscribes to, as NATS patterns. */
const ephemeralTopics: Readonly<Record<ServiceName, ReadonlyArray<string>>> = {
  media: ["job.cancelled", "media.progress", "control.>", "pauses"],
  notify: ["job.cancelled", "notification.progress", "control.>", "pauses"],
  ai: ["job.cancelled", "control.>", "pauses"],
  realtime: [">"],
}

/** Realtime publishes the events of external sources from the HTTP API, and removals by an operator. */
const isPublishedOnBehalf = (type: EventType, publisher: Publisher): boolean =>
  publisher === "outside" || type === "moderation.flagged"

const publishedTypes = (service: ServiceName): ReadonlyArray<EventType> =>
  eventTypes.filter((type) => {
    const { publisher, stored } = eventRegistry[type]
    return stored && (publisher === service || (service === "realtime" && isPublishedOnBehalf(type, publisher)))
  })

const streamNameOf = ({ from }: ReturnType<typeof consumersFor>[number]): string =>
  from !== "all-events" && from.channel === "work" ? "ARMORICORE_WORK" : "ARMORICORE"

/** Groups of NATS subjects that the user of a service may publish to, each with a comment for `nats.conf`. */
export const publishPermissions = (
  service: ServiceName,
): ReadonlyArray<readonly [why: string, ReadonlyArray<string>]> => {
  const consumers = [...consumersFor([service]), ...webhookConsumers]
  const workers = service === "realtime" ? (["media", "notify", "ai"] as const) : ([service] as const)
  const deadLetterServices = [service, "guard", ...(service === "realtime" ? ["operator"] : []), "webhook"]
  const consumesWork = consumers.some((consumer) => streamNameOf(consumer) === "ARMORICORE_WORK")
  return [
    [
      "events, work, ephemeral topics and dead letters",
      [
        ...publishedTypes(service).map((type) => `armoricore.${type}`),
        ...workers.map((worker) => `armoricore-work.${worker}.>`),
        ...ephemeralTopics[service].map((topic) => `armoricore-live.${topic}`),
        ...deadLetterServices.map((from) => `armoricore-dead.${from}.>`),
      ],
    ],
    [
      "consumers of this service, of the result webhook and of the guard that validates events",
      consumers.flatMap((consumer) => {
        const name = `${streamNameOf(consumer)}.${consumer.name}`
        return [`$JS.API.CONSUMER.INFO.${name}`, `$JS.API.CONSUMER.MSG.NEXT.${name}`, `$JS.ACK.${name}.>`]
      }),
    ],
    [
      "startup checks, the age of the oldest event, and MAX_DELIVERIES advisories",
      [
        "$JS.API.INFO",
        "$JS.API.STREAM.INFO.*",
        "$JS.API.DIRECT.GET.ARMORICORE",
        "$JS.API.DIRECT.GET.ARMORICORE_WORK",
        "$JS.API.DIRECT.GET.ARMORICORE_ADVISORY",
        "$JS.API.STREAM.MSG.DELETE.ARMORICORE_ADVISORY",
        // To erase the events of a user or a media.
        ...(service === "media" || service === "realtime"
          ? ["$JS.API.STREAM.MSG.DELETE.ARMORICORE", "$JS.API.CONSUMER.LIST.ARMORICORE"]
          : []),
        ...(consumesWork ? ["$JS.API.STREAM.MSG.DELETE.ARMORICORE_WORK"] : []),
      ],
    ],
    [
      "buckets that it writes, and buckets of other services that it reads",
      // A Set, because a channel and the HTTP API may use the same bucket.
      [
        ...new Set([
          ...[ledgerBucket, erasures.bucket, erasingServices.bucket, ...bucketAccess[service].writes].flatMap(
            ({ name }) => [`$KV.armoricore_${name}.>`, `$JS.API.STREAM.MSG.GET.KV_armoricore_${name}`],
          ),
          ...[...bucketAccess[service].reads, ...(service === "realtime" ? [] : [pauses.bucket])].map(
            ({ name }) => `$JS.API.STREAM.MSG.GET.KV_armoricore_${name}`,
          ),
        ]),
      ],
    ],
    [
      "bodies of dead letters that exceed the message size",
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
  "history of rooms",
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

/** Realtime serves the operator API, which replays the dead letters of every service. */
const deadLetterPermissions = (service: ServiceName) => {
  const own = publishedTypes(service)
  const others = eventTypes.filter((type) => eventRegistry[type].stored && !own.includes(type))
  return [
    "operators read, replay and discard dead letters of every service",
    [
      ...others.map((type) => `armoricore.${type}`),
      "$JS.API.DIRECT.GET.ARMORICORE_DEAD",
      "$JS.API.STREAM.MSG.DELETE.ARMORICORE_DEAD",
      // The client reads a large body through an ephemeral consumer.
      "$JS.API.STREAM.NAMES",
      "$JS.API.CONSUMER.CREATE.OBJ_ARMORICORE_DEAD",
      "$JS.API.CONSUMER.CREATE.OBJ_ARMORICORE_DEAD.>",
      "$JS.API.CONSUMER.DELETE.OBJ_ARMORICORE_DEAD.*",
      "$JS.FC.OBJ_ARMORICORE_DEAD.>",
    ],
  ] as const
}

/** Subjects that the user of a service may subscribe to. */
export const subscribePermissions = (service: ServiceName): ReadonlyArray<string> => [
  `_INBOX_${service}.>`,
  ...ephemeralTopics[service].map((topic) => `armoricore-live.${topic}`),
  // The operator console shows live events.
  ...(service === "realtime" ? ["armoricore.>"] : []),
]
