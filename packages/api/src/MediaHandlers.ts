/**
 * `/v1/media/{id}`: state, deletion, cancellation and retry, for the owner of the media or an operator. The commands
 * are work for the media service: 202 means that the bus has acknowledged them.
 */
import { hasRole } from "@armoricore/auth/Identity"
import { work } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { deriveId } from "@armoricore/domain/DeterministicId"
import { MediaId } from "@armoricore/domain/Ids"
import {
  type MediaCommand,
  mediaCommandKind,
  type MediaRetryRequest,
  mediaRetryKind,
} from "@armoricore/domain/MediaCommand"
import * as UploadToken from "@armoricore/domain/UploadToken"
import * as Collection from "@armoricore/state/Collection"
import { mediaDeletions, mediaStates } from "@armoricore/state/MediaStates"
import { resumableUploads } from "@armoricore/state/ResumableUploads"
import { Clock, Effect, Option, type Redacted, Schema } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { rejectGuest } from "./Authentication.ts"
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts"
import { CurrentIdentity } from "./contract/Security.ts"
import { asProblem, problem } from "./Problem.ts"

const isMediaId = Schema.is(MediaId)
const encoder = new TextEncoder()

export interface MediaOptions {
  /** The key of upload tokens. Media ids from it name their owner before anything else is stored. */
  readonly tokenKey: Redacted.Redacted<string>
}

export const layer = ({ tokenKey }: MediaOptions) =>
  HttpApiBuilder.group(
    ArmoricoreApi,
    "media",
    Effect.fnUntraced(function* (handlers) {
      const states = yield* Collection.make(mediaStates)
      const deletions = yield* Collection.make(mediaDeletions)
      const resumable = yield* Collection.make(resumableUploads)
      const bus = yield* EventBus

      const isDeletionUnfinished = (id: string) =>
        Effect.map(deletions.get(id), (document) => Option.getOrUndefined(document)?.value.deleted_at === undefined)

      const notFound = problem(
        404,
        "not_found",
        "no media with this id is known; it is known once the processing of its upload has begun",
      )

      /** A deleted media is found only to delete it, and only while something of it may be left. */
      const findAuthorized = Effect.fnUntraced(function* (id: string, purpose: "delete" | "use" = "use") {
        const identity = yield* CurrentIdentity
        const entry = isMediaId(id) ? yield* states.get(id) : Option.none()
        const isGone =
          Option.isNone(entry) ||
          (entry.value.value.deleted_at !== undefined && (purpose === "use" || !(yield* isDeletionUnfinished(id))))
        if (Option.isNone(entry) || isGone) {
          return yield* notFound
        }
        const state = entry.value.value
        if (state.user_id !== identity.userId && !hasRole(identity, "operator")) {
          return yield* problem(403, "forbidden", "only the owner of a media or an operator may do this")
        }
        return { identity, state, revision: entry.value.revision }
      })

      /** The message id depends on the command and the state, so a repeated request is a duplicate for the bus. */
      const enqueue = Effect.fnUntraced(function* (
        kind: string,
        payload: MediaCommand | MediaRetryRequest,
        discriminators: ReadonlyArray<string>,
      ) {
        const id = deriveId("media", kind, payload.media_id, ...discriminators)
        const body = encoder.encode(JSON.stringify({ cause_id: id, payload }))
        yield* bus.publish({ address: work("media", kind), id, body })
        return { media_id: payload.media_id }
      })

      const get = Effect.fn("MediaApi.get")(function* (id: string) {
        return (yield* findAuthorized(id)).state
      })

      /** The owner of an upload that is not complete, not published, or in its queue. */
      const uploaderOf = Effect.fnUntraced(function* (id: string) {
        const identity = yield* CurrentIdentity
        if (!isMediaId(id) || !(yield* isDeletionUnfinished(id))) return undefined
        if (UploadToken.isMediaIdOf(tokenKey, identity.userId, id)) return identity.userId
        return hasRole(identity, "operator")
          ? Option.getOrUndefined(yield* resumable.get(id))?.value.user_id
          : undefined
      })

      const remove = Effect.fn("MediaApi.delete")(function* (id: string) {
        yield* rejectGuest(yield* CurrentIdentity)
        const known = isMediaId(id) ? yield* states.get(id) : Option.none()
        const command = {
          action: "delete",
          requested_at: new Date(yield* Clock.currentTimeMillis).toISOString(),
        } as const
        if (Option.isNone(known)) {
          const user_id = yield* uploaderOf(id)
          if (user_id === undefined || !isMediaId(id)) return yield* notFound
          return yield* enqueue(mediaCommandKind, { ...command, media_id: id, user_id: user_id }, ["delete"])
        }
        const { revision, state } = yield* findAuthorized(id, "delete")
        return yield* enqueue(mediaCommandKind, { ...command, media_id: state.media_id }, ["delete", `${revision}`])
      })

      const cancel = Effect.fn("MediaApi.cancel")(function* (id: string) {
        const { identity, state } = yield* findAuthorized(id)
        yield* rejectGuest(identity)
        if (state.status !== "processing") {
          return yield* problem(409, "not_processing", `this media is ${state.status}; there is nothing to cancel`)
        }
        return yield* enqueue(mediaCommandKind, { action: "cancel", media_id: state.media_id }, [
          "cancel",
          state.source_event_id,
        ])
      })

      const retry = Effect.fn("MediaApi.retry")(function* (id: string) {
        const { identity, state } = yield* findAuthorized(id)
        yield* rejectGuest(identity)
        if (state.status !== "failed") {
          return yield* problem(409, "not_failed", `this media is ${state.status}; only a failed media can be retried`)
        }
        if (state.upload === undefined) {
          return yield* problem(409, "upload_not_found", "the upload of this media is no longer known; upload it again")
        }
        const payload = { media_id: state.media_id, user_id: state.user_id }
        return yield* enqueue(mediaRetryKind, payload, [state.source_event_id])
      })

      return handlers.handleAll({
        get: ({ params }) => asProblem(get(params.id)),
        delete: ({ params }) => asProblem(remove(params.id)),
        cancel: ({ params }) => asProblem(cancel(params.id)),
        retry: ({ params }) => asProblem(retry(params.id)),
      })
    }),
  )
