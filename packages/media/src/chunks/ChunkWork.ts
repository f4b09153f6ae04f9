/** The messages of a film that is made in parts, from media workers to media workers. */
import { MediaId, UserId } from "@armoricore/domain/Ids"
import { Failure } from "@armoricore/domain/events/failure"
import { mediaChunkKind, mediaJoinKind } from "@armoricore/domain/MediaControl"
import { Timestamp } from "@armoricore/domain/Wire"
import { enqueue, type Outcome, workId } from "@armoricore/worker/Outcome"
import { Schema } from "effect"

const whose = { media_id: MediaId, user_id: UserId, version: Schema.String }

/** Make one part. */
export const MediaChunk = Schema.Struct({ ...whose, part: Schema.String })
export type MediaChunk = typeof MediaChunk.Type

/** All parts are done, or one of them cannot be: one message either way, whoever noticed. */
export const MediaJoin = Schema.Struct({
  ...whose,
  failed: Schema.optionalKey(Schema.Struct({ error: Failure, failed_at: Timestamp })),
})
export type MediaJoin = typeof MediaJoin.Type

/** Names the part among all that follows from an event, which may be worked on more than once. */
const which = (version: string, part: string): string => `${version}:${part}`

export const enqueuePart = (payload: MediaChunk): Outcome =>
  enqueue(mediaChunkKind, which(payload.version, payload.part), payload)

export const enqueueJoin = (payload: MediaJoin): Outcome =>
  enqueue(mediaJoinKind, which(payload.version, payload.failed === undefined ? "done" : "failed"), payload)

/** Consumer and id of what is still to come, for whoever cancels it. */
export const partKey = (cause: string, version: string, part: string) => ({
  consumer: `media-work-${mediaChunkKind}`,
  id: workId(cause, "media", mediaChunkKind, which(version, part)),
})
export const joinKey = (cause: string, version: string) => ({
  consumer: `media-work-${mediaJoinKind}`,
  id: workId(cause, "media", mediaJoinKind, which(version, "done")),
})
