/** The messages of a film that is made in parts, from media workers to media workers. */
import * as Address from "@armoricore/bus/Address"
import * as ConsumerName from "@armoricore/bus/ConsumerName"
import { MediaId, UserId } from "@armoricore/domain/Ids"
import { Failure } from "@armoricore/domain/events/failure"
import { mediaChunkKind, mediaConcatKind } from "@armoricore/domain/MediaCommand"
import { Timestamp } from "@armoricore/domain/JsonCodecs"
import { enqueue, type ResultMessage, workMessageId } from "@armoricore/worker/ResultMessage"
import { Schema } from "effect"

const mediaFields = { media_id: MediaId, user_id: UserId, version: Schema.String }

/** Make one part. */
export const ChunkMessage = Schema.Struct({ ...mediaFields, chunk: Schema.String })
export type ChunkMessage = typeof ChunkMessage.Type

/** All parts are done, or one of them cannot be: one message either way, whoever noticed. */
export const ConcatMessage = Schema.Struct({
  ...mediaFields,
  failed: Schema.optionalKey(Schema.Struct({ error: Failure, failed_at: Timestamp })),
})
export type ConcatMessage = typeof ConcatMessage.Type

/** Names the part among all that follows from an event, which may be worked on more than once. */
const discriminator = (version: string, chunk: string): string => `${version}:${chunk}`

export const enqueueChunk = (payload: ChunkMessage): ResultMessage =>
  enqueue(mediaChunkKind, discriminator(payload.version, payload.chunk), payload)

export const enqueueConcat = (payload: ConcatMessage): ResultMessage =>
  enqueue(mediaConcatKind, discriminator(payload.version, payload.failed === undefined ? "done" : "failed"), payload)

/** Consumer and id of what is still to come, for whoever cancels it. */
export const chunkMessageKey = (eventId: string, version: string, chunk: string) => ({
  consumer: ConsumerName.of("media", Address.work("media", mediaChunkKind)),
  id: workMessageId(eventId, "media", mediaChunkKind, discriminator(version, chunk)),
})
export const concatMessageKey = (eventId: string, version: string) => ({
  consumer: ConsumerName.of("media", Address.work("media", mediaConcatKind)),
  id: workMessageId(eventId, "media", mediaConcatKind, discriminator(version, "done")),
})
