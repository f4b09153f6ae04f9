/** The work messages of a chunked encode, which media workers send to media workers, and their cancellation. */
import * as Address from "@armoricore/bus/Address";
import * as ConsumerName from "@armoricore/bus/ConsumerName";
import { MediaId, UserId } from "@armoricore/domain/Ids";
import { Failure } from "@armoricore/domain/events/failure";
import { mediaChunkKind, mediaConcatKind } from "@armoricore/domain/MediaCommand";
import { Timestamp } from "@armoricore/domain/JsonCodecs";
import { enqueue, workMessageId } from "@armoricore/worker/ResultMessage";
import { Effect, Schema } from "effect";
import { versionFromPrefix } from "../record/MediaRecord.ts";
import { chunkNames } from "./ChunkedEncodes.ts";
const mediaFields = { media_id: MediaId, user_id: UserId, version: Schema.String };
/** Encode one chunk. */
export const ChunkMessage = Schema.Struct({ ...mediaFields, chunk: Schema.String });
/** All chunks are done, or one of them has failed finally. Several workers may send it; its id removes duplicates. */
export const ConcatMessage = Schema.Struct({
    ...mediaFields,
    failed: Schema.optionalKey(Schema.Struct({ error: Failure, failed_at: Timestamp })),
});
/** The version distinguishes the attempts for one event. */
const discriminator = (version, chunk) => `${version}:${chunk}`;
export const enqueueChunk = (payload) => enqueue(mediaChunkKind, discriminator(payload.version, payload.chunk), payload);
export const enqueueConcat = (payload) => enqueue(mediaConcatKind, discriminator(payload.version, payload.failed === undefined ? "done" : "failed"), payload);
const chunkMessageKey = (eventId, version, chunk) => ({
    consumer: ConsumerName.of("media", Address.work("media", mediaChunkKind)),
    id: workMessageId(eventId, "media", mediaChunkKind, discriminator(version, chunk)),
});
const concatMessageKey = (eventId, version) => ({
    consumer: ConsumerName.of("media", Address.work("media", mediaConcatKind)),
    id: workMessageId(eventId, "media", mediaConcatKind, discriminator(version, "done")),
});
/**
 * Cancels the chunked encode of the newest upload. Only one message is cancelled, and its failure fails the upload; the
 * other chunks stop because the encode is aborted. If all chunks are done, the concat message is cancelled.
 */
export const cancelChunks = ({ encodes, record }) => Effect.fn("UploadPipeline.cancelChunks")(function* (mediaId, cancelMessage) {
    const state = yield* record.find(mediaId);
    if (state === undefined)
        return;
    for (const attempt of state.attempts) {
        if (attempt.generation !== state.generations[state.source_event_id])
            continue;
        const version = versionFromPrefix(attempt.prefix);
        const job = yield* encodes.find(version);
        if (job === undefined || job.aborted === true)
            continue;
        const messages = [
            ...chunkNames(job)
                .filter((chunk) => !job.completed.includes(chunk))
                .map((chunk) => chunkMessageKey(job.source_event_id, version, chunk)),
            concatMessageKey(job.source_event_id, version),
        ];
        for (const message of messages) {
            if (!(yield* cancelMessage(message)))
                continue;
            // Only after the cancellation: a chunk that stops because of the abort reports no failure.
            yield* encodes.abort(version);
            break;
        }
    }
});
