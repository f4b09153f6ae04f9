/**
 * What each service needs of bus and state, as one table: `Setup` looks at a service's own part of it, and
 * `deploy/nats.conf` is written from it, so that neither can fall behind the code.
 */
import { revocations } from "@armoricore/auth/Revocations"
import { catalogue, type EventType, eventTypes, type Publisher } from "@armoricore/domain/Events"
import { mediaJobs, mediaParts } from "@armoricore/media/chunks/ChunkJobs"
import { usages } from "@armoricore/media/Quota"
import { auditEntries } from "@armoricore/operator/Audit"
import { reviews } from "@armoricore/operator/Reviews"
import type { Bucket } from "@armoricore/state/KeyValue"
import { mediaStates } from "@armoricore/state/MediaStates"
import { deliveryStates, inboxMessages, notificationStates, suppressions } from "@armoricore/state/NotificationStates"
import { transcriptStates } from "@armoricore/state/Transcripts"
import { ledgerBucket } from "@armoricore/worker/Ledger"
import { pauses } from "@armoricore/worker/Switchboard"
import { consumersOf, type ServiceName, webhookConsumers } from "./Services.ts"

interface Buckets {
  readonly writes: ReadonlyArray<Bucket>
  readonly reads: ReadonlyArray<Bucket>
}

const buckets: Readonly<Record<ServiceName, Buckets>> = {
  media: {
    writes: [mediaStates.bucket, usages.bucket, mediaJobs.bucket, mediaParts.bucket],
    reads: [transcriptStates.bucket],
  },
  notify: {
    writes: [notificationStates.bucket, deliveryStates.bucket, suppressions.bucket, inboxMessages.bucket],
    reads: [],
  },
  ai: { writes: [transcriptStates.bucket], reads: [mediaStates.bucket] },
  // It serves the HTTP API: states are looked at there, and unsubscribing suppresses.
  realtime: {
    writes: [revocations.bucket, suppressions.bucket, pauses.bucket, auditEntries.bucket, reviews.bucket],
    reads: [
      mediaStates.bucket,
      transcriptStates.bucket,
      notificationStates.bucket,
      deliveryStates.bucket,
      inboxMessages.bucket,
    ],
  },
}

/** The buckets that these services use, each once. */
export const bucketsOf = (chosen: Iterable<ServiceName>): ReadonlyArray<Bucket> => [
  ...new Set([
    ledgerBucket,
    pauses.bucket,
    ...[...chosen].flatMap((service) => [...buckets[service].writes, ...buckets[service].reads]),
  ]),
]

/** Live topics that a service tells or hears, as NATS patterns. */
const live: Readonly<Record<ServiceName, ReadonlyArray<string>>> = {
  media: ["job.cancelled", "media.progress", "control", "pauses"],
  notify: ["job.cancelled", "control", "pauses"],
  ai: ["job.cancelled", "control", "pauses"],
  realtime: [">"],
}

/** What outside sources send over HTTP, realtime puts on the bus; and what an operator has moderation remove. */
const isToldForOthers = (type: EventType, publisher: Publisher): boolean =>
  publisher === "outside" || type === "moderation.flagged"

const published = (service: ServiceName): ReadonlyArray<EventType> =>
  eventTypes.filter((type) => {
    const { publisher, stored } = catalogue[type]
    return stored && (publisher === service || (service === "realtime" && isToldForOthers(type, publisher)))
  })

const streamOf = ({ from }: ReturnType<typeof consumersOf>[number]): string =>
  from !== "all-events" && from.channel === "work" ? "ARMORICORE_WORK" : "ARMORICORE"

/** Groups of NATS subjects that a service's user may publish to, each with a word about them. */
export const publishRights = (service: ServiceName): ReadonlyArray<readonly [why: string, ReadonlyArray<string>]> => {
  const consumers = [...consumersOf([service]), ...webhookConsumers]
  const workers = service === "realtime" ? (["media", "notify", "ai"] as const) : ([service] as const)
  const letterNames = [
    service,
    ...(service === "media" ? ["guard"] : []),
    ...(service === "realtime" ? ["operator"] : []),
    "webhook",
  ]
  const worksOn = consumers.some((consumer) => streamOf(consumer) === "ARMORICORE_WORK")
  return [
    [
      "what it tells",
      [
        ...published(service).map((type) => `armoricore.${type}`),
        ...workers.map((worker) => `armoricore-work.${worker}.>`),
        ...live[service].map((topic) => `armoricore-live.${topic}`),
        ...letterNames.map((from) => `armoricore-dead.${from}.>`),
      ],
    ],
    [
      "its consumers; those of the webhook are everyone's",
      consumers.flatMap((consumer) => {
        const name = `${streamOf(consumer)}.${consumer.name}`
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
        ...(worksOn ? ["$JS.API.STREAM.MSG.DELETE.ARMORICORE_WORK"] : []),
      ],
    ],
    [
      "its state, and what it reads of others",
      [
        ...[ledgerBucket, ...buckets[service].writes].flatMap(({ name }) => [
          `$KV.armoricore_${name}.>`,
          `$JS.API.STREAM.MSG.GET.KV_armoricore_${name}`,
        ]),
        ...[...buckets[service].reads, ...(service === "realtime" ? [] : [pauses.bucket])].map(
          ({ name }) => `$JS.API.STREAM.MSG.GET.KV_armoricore_${name}`,
        ),
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
    ...(service === "realtime" ? [history, letters(service)] : []),
  ]
}

const history = [
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
const letters = (service: ServiceName) => {
  const own = published(service)
  const others = eventTypes.filter((type) => catalogue[type].stored && !own.includes(type))
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
export const subscribeRights = (service: ServiceName): ReadonlyArray<string> => [
  `_INBOX_${service}.>`,
  ...live[service].map((topic) => `armoricore-live.${topic}`),
  // Whoever looks at a topic is told what passes now.
  ...(service === "realtime" ? ["armoricore.>"] : []),
]
