/**
 * The state document of a resumable upload (tus). Its bytes are in the object storage: complete parts belong to a multipart
 * upload of the final object, and the bytes after them are pieces below `piecePrefix`.
 */
import { Schema } from "effect"

export const ResumableUpload = Schema.Struct({
  media_id: Schema.String,
  user_id: Schema.String,
  /** `s3://bucket/key` of the final object. */
  file_path: Schema.String,
  content_type: Schema.String,
  /** Bytes of the whole file. */
  size: Schema.Int,
  /** Bytes that are stored. */
  offset: Schema.Int,
  /** The header `Upload-Metadata` as the client sent it. */
  metadata: Schema.String,
  /** Bytes of each part but the last. */
  part_size: Schema.Int,
  /** The multipart upload of the storage; absent: the file fits in one part. */
  upload_id: Schema.optionalKey(Schema.String),
  /** Of the complete parts, in order. */
  etags: Schema.Array(Schema.String),
  /** The objects with the bytes after the last complete part, in order. */
  pieces: Schema.Array(Schema.Struct({ key: Schema.String, size: Schema.Int })),
  /** RFC 3339; later with every request that stores bytes. */
  expires_at: Schema.String,
  /** The final object exists. */
  is_complete: Schema.Boolean,
  /** Its removal has begun; nothing may be stored any more. */
  is_removed: Schema.optionalKey(Schema.Boolean),
  lock: Schema.optionalKey(
    Schema.Struct({
      /** The request that stores bytes. */
      holder: Schema.String,
      /** Epoch milliseconds; later while the request runs. */
      until: Schema.Finite,
      /** Another request waits: the holder stores what it has and ends. */
      is_wanted: Schema.Boolean,
    }),
  ),
})
export type ResumableUpload = typeof ResumableUpload.Type

/** The folder of an upload's pieces, in the bucket of the final object. */
export const piecePrefix = (mediaId: string): string => `${piecesFolder}${mediaId}/`
export const piecesFolder = "work/uploads/"
