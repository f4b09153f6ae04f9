/**
 * The object storage port: uploads come out of it, segments and playlists go into it.
 *
 * Every adapter passes `test/behaviour.ts`.
 */
import type { ConfigurationError, NotFound, TransientError } from "@armoricore/domain/Errors"
import type { ObjectRef } from "@armoricore/domain/ObjectRef"
import { Context } from "effect"
import type { Duration, Effect, Stream } from "effect"

export type { ObjectRef }

/** What a listing knows. */
export interface ObjectSummary extends ObjectRef {
  /** Bytes. */
  readonly size: number
  /** Changes whenever the content does. Without quotes. */
  readonly etag: string
  /** Epoch milliseconds. */
  readonly modifiedAt: number
}

export interface ObjectInfo extends ObjectSummary {
  readonly contentType: string
  readonly cacheControl?: string
}

export interface PutOptions {
  readonly contentType: string
  readonly cacheControl?: string
}

/** Bytes `start` to `end`, both inclusive; without `end` to the last one. */
export interface ByteRange {
  readonly start: number
  readonly end?: number
}

/** A request that a browser makes by itself, with exactly these headers. */
export interface PresignedRequest {
  readonly url: string
  readonly method: "GET" | "PUT"
  readonly headers: Readonly<Record<string, string>>
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

/** A part that was written, as its PUT was answered. */
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
    /** Visible whole or not at all: a reader never sees half an object. Streams of any length in bounded memory. */
    readonly put: <E = never, R = never>(
      ref: ObjectRef,
      body: Uint8Array | Stream.Stream<Uint8Array, E, R>,
      options: PutOptions,
    ) => Effect.Effect<ObjectInfo, StorageError | E, R>
    /** A range that begins behind the end has an empty body. Run the body or drop it soon: it may hold a connection. */
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
     * The same bytes, content type and cache control under another key, without leading them through this process where
     * the storage can do so. Visible whole or not at all, as with `put`. At most 5 GB, and within one bucket or two.
     */
    readonly copy: (from: ObjectRef, to: ObjectRef) => Effect.Effect<ObjectInfo, NotFound | StorageError>
    /** Removing what is not there succeeds. */
    readonly remove: (ref: ObjectRef) => Effect.Effect<void, StorageError>
    readonly presignGet: (
      ref: ObjectRef,
      options: { readonly expiresIn: Duration.Duration },
    ) => Effect.Effect<PresignedRequest, StorageError>
    /** The signature covers the content type and, where given, the exact size in bytes. */
    readonly presignPut: (
      ref: ObjectRef,
      options: { readonly expiresIn: Duration.Duration; readonly contentType: string; readonly size?: number },
    ) => Effect.Effect<PresignedRequest, StorageError>
    /** Begins an object that is too large for one PUT; returns the id of its upload. Unfinished, nobody sees it. */
    readonly createMultipartUpload: (
      ref: ObjectRef,
      options: { readonly contentType: string },
    ) => Effect.Effect<string, StorageError>
    /** Parts have numbers from 1 to 10,000 and, but for the last, at least 5 MiB. The signature covers the size. */
    readonly presignPart: (
      ref: ObjectRef,
      uploadId: string,
      part: { readonly number: number; readonly size: number; readonly expiresIn: Duration.Duration },
    ) => Effect.Effect<PresignedRequest, StorageError>
    /** Makes the object of its parts, ascending. `NotFound`: the upload, or a part with this etag, is not there. */
    readonly completeMultipartUpload: (
      ref: ObjectRef,
      uploadId: string,
      parts: ReadonlyArray<CompletedPart>,
    ) => Effect.Effect<ObjectInfo, NotFound | StorageError>
    /** Removes what was written of it; succeeds where there is nothing. */
    readonly abortMultipartUpload: (ref: ObjectRef, uploadId: string) => Effect.Effect<void, StorageError>
    /** Creates or checks the bucket; returns one line for `armoricore setup`. */
    readonly setup: (bucket: string) => Effect.Effect<string, StorageError>
  }
>()("@armoricore/storage/ObjectStorage") {}
