/**
 * The object storage port: uploads are read from it, segments and playlists are written to it.
 *
 * Every adapter passes `test/support/BehaviourSuite.ts`.
 */
import type { ConfigurationError, NotFound, TransientError } from "@armoricore/domain/Errors"
import type { ObjectRef } from "@armoricore/domain/ObjectRef"
import { Context } from "effect"
import type { Duration, Effect, Stream } from "effect"

export type { ObjectRef }

/** The attributes that a listing contains. */
export interface ObjectSummary extends ObjectRef {
  /** Bytes. */
  readonly size: number
  /** The ETag, without quotes; changes whenever the content does. */
  readonly etag: string
  /** Epoch milliseconds. */
  readonly modifiedAt: number
}

export interface ObjectInfo extends ObjectSummary {
  readonly contentType: string
  readonly cacheControl?: string
  readonly contentDisposition?: string
}

export interface PutOptions {
  readonly contentType: string
  readonly cacheControl?: string
  /** How browsers treat the object: `attachment; filename="…"` saves it as a file. ASCII. */
  readonly contentDisposition?: string
}

/** Bytes `start` to `end`, both inclusive; without `end` to the last byte. */
export interface ByteRange {
  readonly start: number
  readonly end?: number
}

/** A request for a browser to send, with exactly these headers. */
export interface PresignedRequest {
  readonly url: string
  readonly method: "GET" | "PUT"
  readonly headers: Readonly<Record<string, string>>
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

/** An uploaded part, as the response to its PUT describes it. */
export interface CompletedPart {
  /** From 1. */
  readonly number: number
  /** With or without quotes. */
  readonly etag: string
}

export type StorageError = TransientError | ConfigurationError

export class ObjectStorage extends Context.Service<
  ObjectStorage,
  {
    /** Atomic: a reader never sees a partial object. Streams of any length use bounded memory. */
    readonly put: <E = never, R = never>(
      ref: ObjectRef,
      body: Uint8Array | Stream.Stream<Uint8Array, E, R>,
      options: PutOptions,
    ) => Effect.Effect<ObjectInfo, StorageError | E, R>
    /** A range that begins after the end has an empty body. Consume or drop the body soon: it may hold a connection. */
    readonly get: (
      ref: ObjectRef,
      range?: ByteRange,
    ) => Effect.Effect<
      { readonly info: ObjectInfo; readonly body: Stream.Stream<Uint8Array, StorageError> },
      NotFound | StorageError
    >
    readonly head: (ref: ObjectRef) => Effect.Effect<ObjectInfo, NotFound | StorageError>
    /** Ascending by key. */
    readonly list: (bucket: string, prefix: string) => Stream.Stream<ObjectSummary, StorageError>
    /**
     * Copies bytes, content type, disposition and cache control to another key, inside the storage where possible. Atomic, as `put`.
     * At most 5 GB, within one bucket or between two.
     */
    readonly copy: (from: ObjectRef, to: ObjectRef) => Effect.Effect<ObjectInfo, NotFound | StorageError>
    /** Removing a missing object succeeds. */
    readonly remove: (ref: ObjectRef) => Effect.Effect<void, StorageError>
    readonly presignGet: (
      ref: ObjectRef,
      options: { readonly expiresIn: Duration.Duration },
    ) => Effect.Effect<PresignedRequest, StorageError>
    /** The signature covers the content type and, if given, the exact size in bytes. */
    readonly presignPut: (
      ref: ObjectRef,
      options: { readonly expiresIn: Duration.Duration; readonly contentType: string; readonly size?: number },
    ) => Effect.Effect<PresignedRequest, StorageError>
    /**
     * Creates a multipart upload for an object too large for one PUT; returns the upload id. Readers see nothing before
     * it is completed.
     */
    readonly createMultipartUpload: (
      ref: ObjectRef,
      options: { readonly contentType: string },
    ) => Effect.Effect<string, StorageError>
    /** Part numbers are 1 to 10,000; every part but the last has at least 5 MiB. The signature covers the size. */
    readonly presignPart: (
      ref: ObjectRef,
      uploadId: string,
      part: { readonly number: number; readonly size: number; readonly expiresIn: Duration.Duration },
    ) => Effect.Effect<PresignedRequest, StorageError>
    /**
     * Writes one part from this process; a repeated write of a part replaces it. Sizes as for `presignPart`. `NotFound`: the
     * upload was completed or aborted.
     */
    readonly putPart: (
      ref: ObjectRef,
      uploadId: string,
      part: { readonly number: number; readonly body: Uint8Array },
    ) => Effect.Effect<CompletedPart, NotFound | StorageError>
    /**
     * Completes the upload from its parts, ascending. `NotFound`: the upload, or a part with this ETag, does not exist.
     */
    readonly completeMultipartUpload: (
      ref: ObjectRef,
      uploadId: string,
      parts: ReadonlyArray<CompletedPart>,
    ) => Effect.Effect<ObjectInfo, NotFound | StorageError>
    /** Deletes the parts of an upload; succeeds if there are no parts. */
    readonly abortMultipartUpload: (ref: ObjectRef, uploadId: string) => Effect.Effect<void, StorageError>
    /** Creates or checks the bucket; returns one line for `armoricore setup`. */
    readonly setup: (bucket: string) => Effect.Effect<string, StorageError>
  }
>()("@armoricore/storage/ObjectStorage") {}
