/** A media with data in every store that its deletion covers, and a search for what is left of it. */
import * as ChunkedEncodes from "@armoricore/media/chunked/ChunkedEncodes"
import { quotaUsages } from "@armoricore/media/pipeline/Quota"
import { mediaKeys } from "@armoricore/media/protection/ContentKeys"
import * as Collection from "@armoricore/state/Collection"
import { KeyValue } from "@armoricore/state/KeyValue"
import { mediaDeletions, mediaStates } from "@armoricore/state/MediaStates"
import { resumableUploads } from "@armoricore/state/ResumableUploads"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { ObjectStorage } from "@armoricore/storage/ObjectStorage"
import { ledgerBucket } from "@armoricore/worker/ledger/Ledger"
import { Effect, Stream } from "effect"

/** In the name of the upload, its metadata, its transcript and its captions. */
export const canary = "canary-5e1f"

export const putText = Effect.fnUntraced(function* (key: string, text: string) {
  const storage = yield* ObjectStorage
  yield* storage.put<never, never>({ bucket: "media", key }, new TextEncoder().encode(text), {
    contentType: "text/plain",
  })
})

const stateBuckets = [
  mediaStates.bucket,
  mediaDeletions.bucket,
  transcriptStates.bucket,
  ChunkedEncodes.chunkedEncodes.bucket,
  ChunkedEncodes.chunkOutputs.bucket,
  mediaKeys.bucket,
  quotaUsages.bucket,
  resumableUploads.bucket,
  ledgerBucket,
]

/** The keys of all objects and state documents whose key or content has the canary, and of all objects of the media. */
export const findTraces = Effect.fnUntraced(function* (mediaId: string) {
  const storage = yield* ObjectStorage
  const kv = yield* KeyValue
  const traces: Array<string> = []
  for (const { key } of yield* Stream.runCollect(storage.list("media", ""))) {
    const object = yield* storage.get({ bucket: "media", key })
    const bytes = Buffer.concat([...(yield* Stream.runCollect(object.body))])
    if (key.includes(`/${mediaId}/`) || key.includes(canary) || bytes.includes(canary)) traces.push(key)
  }
  for (const bucket of stateBuckets) {
    for (const { key, value } of yield* kv.list(bucket, { limit: 500 })) {
      if (key.includes(canary) || value.includes(canary)) traces.push(`${bucket.name}: ${key}`)
    }
  }
  return traces
})

/** A finished transcript, as the ai service leaves it. */
export const storeTranscript = Effect.fnUntraced(function* (mediaId: string) {
  const transcripts = yield* Collection.make(transcriptStates)
  const folder = `transcripts/${mediaId}/t1/1/`
  for (const name of ["transcript.json", "transcript.txt", "captions.vtt", "captions.srt"])
    yield* putText(`${folder}${name}`, `WEBVTT ${canary}`)
  yield* putText(`work/transcription/${mediaId}/abc/def.json`, `{"text":"${canary}"}`)
  yield* transcripts.put(mediaId, {
    media_id: mediaId,
    user_id: "u1",
    status: "complete",
    percent: 100,
    source_event_id: "00000000-0000-4000-8000-0000000000aa",
    requested_at: "2026-01-31T12:00:00Z",
    request: { media_id: mediaId, user_id: "u1", source_file_path: `s3://media/uploads/u1/${mediaId}/${canary}.mp4` },
    languages: {
      en: {
        transcription_id: "t1-00000000",
        transcript_file_path: `s3://media/${folder}transcript.json`,
        caption_urls: { vtt: "v", srt: "s" },
        quality: "standard",
        engine: "openai",
        word_count: 1,
        requested_at: "2026-01-31T12:00:00Z",
        completed_at: "2026-01-31T12:01:00Z",
      },
    },
    updated_at: "2026-01-31T12:01:00Z",
  })
})

/** An upload of `u1` whose first part and some further bytes are stored. */
export const storeUnfinishedUpload = Effect.fnUntraced(function* (mediaId: string) {
  const storage = yield* ObjectStorage
  const uploads = yield* Collection.make(resumableUploads)
  const ref = { bucket: "media", key: `uploads/u1/${mediaId}/unfinished-${canary}.mp4` }
  const upload_id = yield* storage.createMultipartUpload(ref, { contentType: "video/mp4" })
  const body = new TextEncoder().encode(canary)
  const { etag } = yield* storage.putPart(ref, upload_id, { number: 1, body })
  const key = `work/uploads/${mediaId}/1`
  yield* putText(key, canary)
  yield* uploads.put(mediaId, {
    media_id: mediaId,
    user_id: "u1",
    file_path: `s3://media/${ref.key}`,
    content_type: "video/mp4",
    size: 100,
    offset: 2 * canary.length,
    metadata: canary,
    part_size: canary.length,
    upload_id,
    etags: [etag],
    pieces: [{ key, size: canary.length }],
    expires_at: "2026-02-02T12:00:00Z",
    is_complete: false,
  })
})
