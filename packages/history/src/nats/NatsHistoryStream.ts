/** The stream of the history, and how an existing one is reconciled with the expected settings. Uses only features of NATS 2.9. */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { decodeTopic, encodeId, encodeTopic } from "@armoricore/domain/EncodedId"
import * as StoreVersion from "@armoricore/domain/StoreVersion"
import { jetStreamErrorCode, errorFrom, type NatsRequestError } from "@armoricore/nats/NatsErrors"
import { missing, addStream, diff, get, immutable, reportDrift, type ManageMode } from "@armoricore/nats/NatsResource"
import { Duration, Effect } from "effect"
import { DiscardPolicy, type JetStreamManager, nanos, RetentionPolicy, StorageType } from "nats"
import { dedupWindow } from "../History.ts"

export const streamName = "ARMORICORE_HISTORY"
const prefix = "armoricore-history."

export const subjectOf = (room: string): string => `${prefix}${encodeTopic(room)}`

/** The subject of the entry of an item in the index of ids (`NatsIdIndex`). */
export const indexEntryOf = (room: string, id: string): string => `${subjectOf(room)}.id.${encodeId(id)}`

export const isIndexEntry = (subject: string): boolean => subject.split(".").length === 4

/** Undefined if the subject has only a hash of a name that is too long. */
export const roomOf = (subject: string): string | undefined => decodeTopic(subject.slice(prefix.length))

/** `Nats-Msg-Id`, by which the server recognises an id of a room that was appended before. */
export const messageIdOf = (room: string, id: string): string => `${encodeTopic(room)}/${id}`

export const itemIdOf = (messageId: string | undefined): string =>
  messageId === undefined ? "" : messageId.slice(messageId.indexOf("/") + 1)

/** The version of the layout of subjects and headers in the stream; see `StoreVersion` in domain. */
const schemaVersion = 1

const republishPrefix = "armoricore-live.history."

/** The subject on which the server republishes each stored item, with its sequence and the subject's previous one. */
export const republishSubjectOf = (room: string): string => `${republishPrefix}${encodeTopic(room)}`

/** Servers before NATS 2.10 cannot add republishing to an existing stream. */
const updateNotAllowed = 10052

/** No message has this sequence. */
export const isMessageNotFound = (cause: unknown): boolean =>
  [10037, 10043, 10057].includes(jetStreamErrorCode(cause) ?? 0)

export interface StreamOptions {
  readonly maxAge: number
  readonly maxPerRoom: number
  readonly maxBytes: number
  readonly replicas: number
  readonly manage: ManageMode
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
    // Unlike events, a full history deletes its oldest items.
    discard: DiscardPolicy.Old,
    max_age: nanos(limits.maxAge),
    max_bytes: limits.maxBytes,
    max_msgs_per_subject: limits.maxPerRoom,
    duplicate_window: nanos(Math.min(Duration.toMillis(dedupWindow), limits.maxAge)),
    num_replicas: limits.replicas,
    allow_direct: true,
    // A replaced body deletes the one before it.
    allow_rollup_hdrs: true,
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
  // A version that is merely not written yet is no reason to warn.
  const changed = diff(config, limits.manage === "verify" && found === schemaVersion ? settings : wanted)
  if (changed.length === 0) return [`${resource}: ready`]
  if (limits.manage === "verify") return [yield* reportDrift(resource, changed)]
  yield* Effect.tryPromise({
    try: () => manager.streams.update(streamName, { ...config, ...wanted }),
    catch: (cause) => cause,
  }).pipe(
    Effect.mapError((cause) =>
      changed.includes("republish") && jetStreamErrorCode(cause) === updateNotAllowed
        ? new ConfigurationError({
            setting: resource,
            message: `The ${resource} does not republish, and this NATS server cannot change that; upgrade it to NATS 2.10 or newer, or delete the stream and run "armoricore setup"`,
          })
        : errorFrom(resource)(cause),
    ),
  )
  return [`${resource}: updated ${changed.join(", ")}`]
})
