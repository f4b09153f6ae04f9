/** The stream of the history, and how an existing one is brought to its settings. Only features of NATS 2.9 are used. */
import { ConfigurationError } from "@armoricore/domain/Errors"
import * as StoreVersion from "@armoricore/domain/StoreVersion"
import { jetStreamErrorCode, errorFrom, type NatsRequestError } from "@armoricore/nats/NatsErrors"
import { missing, addStream, diff, get, immutable, reportDrift, type ManageMode } from "@armoricore/nats/NatsResource"
import { Duration, Effect } from "effect"
import { DiscardPolicy, type JetStreamManager, nanos, RetentionPolicy, StorageType } from "nats"
import { dedupWindow } from "../History.ts"

export const streamName = "ARMORICORE_HISTORY"
const prefix = "armoricore-history."

export const subjectOf = (room: string): string => `${prefix}${room}`

/** Of the layout of subjects and headers in the stream; see `SchemaNumber`. */
const schemaVersion = 1

const republishPrefix = "armoricore-live.history."

/** What the server stored is told here, with its number and that of the subject's message before it. */
export const republishSubjectOf = (room: string): string => `${republishPrefix}${room}`

/** The server refuses what a change of the stream asks for. */
const updateNotAllowed = 10052

/** No message of this number. */
export const isMessageNotFound = (cause: unknown): boolean =>
  [10037, 10043, 10057].includes(jetStreamErrorCode(cause) ?? 0)

export interface StreamOptions {
  readonly maxAge: number
  readonly maxPerRoom: number
  readonly maxBytes: number
  readonly replicas: number
  readonly manage: ManageMode
  /** How a stream gets settings that the server refuses to change; absent where nobody may make it anew. */
  readonly remake: ((wanted: object) => Effect.Effect<void, NatsRequestError>) | undefined
}

const resource = `stream ${streamName}`

export const ensureStream = Effect.fnUntraced(function* (
  manager: JetStreamManager,
  limits: StreamOptions,
): Effect.fn.Return<ReadonlyArray<string>, NatsRequestError> {
  const settings = {
    name: streamName,
    subjects: [`${prefix}>`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    // Unlike events a history may forget: what is old makes room.
    discard: DiscardPolicy.Old,
    max_age: nanos(limits.maxAge),
    max_bytes: limits.maxBytes,
    max_msgs_per_subject: limits.maxPerRoom,
    duplicate_window: nanos(Math.min(Duration.toMillis(dedupWindow), limits.maxAge)),
    num_replicas: limits.replicas,
    allow_direct: true,
    republish: { src: `${prefix}>`, dest: `${republishPrefix}>` },
  }
  const existing = yield* get(resource, () => manager.streams.info(streamName))
  const words = existing?.config.description
  const found = existing === undefined ? schemaVersion : StoreVersion.versionOf(words)
  const newer = StoreVersion.newerVersionError(`${resource} on NATS`, found, schemaVersion)
  if (newer !== undefined) return yield* newer
  const wanted = { ...settings, description: StoreVersion.withVersion(words, schemaVersion) }
  if (existing === undefined) {
    if (limits.manage === "verify") return yield* missing(resource)
    const isOurs = yield* addStream(resource, manager, wanted)
    return isOurs ? [`${resource}: created`] : yield* ensureStream(manager, limits)
  }
  const { config } = existing
  for (const field of ["retention", "storage"] as const) {
    if (config[field] !== wanted[field]) return yield* immutable(resource, field, config[field], wanted[field])
  }
  // A number that is only not written yet is nothing to warn of.
  const changed = diff(config, limits.manage === "verify" && found === schemaVersion ? settings : wanted)
  if (changed.length === 0) return [`${resource}: ready`]
  if (limits.manage === "verify") return [yield* reportDrift(resource, changed)]
  const { remake } = limits
  const update = (to: object) =>
    Effect.tryPromise({
      try: () => manager.streams.update(streamName, { ...config, ...to }),
      catch: (cause) => cause,
    })
  const isTold = yield* update(wanted).pipe(
    Effect.as(true),
    Effect.catchIf(
      (cause) => changed.includes("republish") && jetStreamErrorCode(cause) === updateNotAllowed,
      () => Effect.succeed(false),
    ),
    Effect.mapError(errorFrom(resource)),
  )
  if (!isTold && remake === undefined) {
    if (changed.includes("subjects")) {
      return yield* new ConfigurationError({
        setting: resource,
        message: `The ${resource} is just being made anew by "armoricore setup"; start again when that is done, and run it again if it was stopped`,
      })
    }
    // Nodes hear what is added all the same, by asking for it.
    const { republish: _, ...rest } = wanted
    yield* Effect.mapError(update(rest), errorFrom(resource))
    yield* Effect.logInfo(
      `The ${resource} was made by an older version, which costs NATS a consumer for each room and node; "armoricore setup" brings it up to date and keeps what it holds`,
    )
    return [`${resource}: of an older version, and good enough`]
  }
  if (!isTold) yield* remake?.(wanted) ?? Effect.void
  return [`${resource}: updated ${changed.join(", ")}`]
})

/** Whether the stream tells by itself what is added. One that is not there yet will. */
export const republishes = (manager: JetStreamManager) =>
  Effect.map(
    get(resource, () => manager.streams.info(streamName)),
    (found) => found === undefined || found.config.republish !== undefined,
  )
