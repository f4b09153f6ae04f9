/**
 * What is known of a media, and what may be asked for it, by its owner or an operator:
 *
 * - `GET /v1/media/{id}` shows its state;
 * - `DELETE /v1/media/{id}` removes all that there is of it;
 * - `POST /v1/media/{id}/cancel` ends the work on it, `POST /v1/media/{id}/retry` makes it again after a failure.
 *
 * The last three are work for the media service: 202 says that the bus has it.
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
import { MediaState } from "@armoricore/domain/MediaState"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { Effect, Option, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { authenticate, rejectGuest } from "./Authentication.ts"
import { catchProblems, problem } from "./Problem.ts"

const isId = Schema.is(MediaId)
/** Where its objects lie, and who works on it, stays inside. */
const MediaResponse = Schema.Struct({
  media_id: MediaState.fields.media_id,
  user_id: MediaState.fields.user_id,
  status: MediaState.fields.status,
  stage: MediaState.fields.stage,
  percent: MediaState.fields.percent,
  renditions: MediaState.fields.renditions,
  timings: MediaState.fields.timings,
  playable: MediaState.fields.playable,
  ready: MediaState.fields.ready,
  failed: MediaState.fields.failed,
  updated_at: MediaState.fields.updated_at,
})
const encode = Schema.encodeEffect(MediaResponse)
const encoder = new TextEncoder()

export const layer = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const states = yield* Collection.make(mediaStates)
    const bus = yield* EventBus

    const findAuthorized = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const identity = yield* authenticate(request)
      const { id = "" } = yield* HttpRouter.params
      const found = isId(id) ? yield* states.get(id) : Option.none()
      if (Option.isNone(found) || found.value.value.deleted_at !== undefined) {
        return yield* problem(
          404,
          "not_found",
          "no media with this id is known; it is known once its upload was published",
        )
      }
      const state = found.value.value
      if (state.user_id !== identity.userId && !hasRole(identity, "operator")) {
        return yield* problem(403, "forbidden", "only the owner of a media or an operator may do this")
      }
      return { identity, state, revision: found.value.revision }
    })

    const show = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const { state } = yield* findAuthorized(request)
      // It was decoded by the same schema a moment ago.
      const json = yield* Effect.orDie(encode(state))
      return HttpServerResponse.jsonUnsafe(json, { headers: { "cache-control": "no-store" } })
    })

    /** The same wish in the same state is one message. */
    const enqueue = Effect.fnUntraced(function* (
      kind: string,
      payload: MediaCommand | MediaRetryRequest,
      discriminators: ReadonlyArray<string>,
    ) {
      const id = deriveId("media", kind, payload.media_id, ...discriminators)
      const body = encoder.encode(JSON.stringify({ cause_id: id, payload }))
      yield* bus.publish({ address: work("media", kind), id, body })
      return HttpServerResponse.jsonUnsafe(
        { media_id: payload.media_id },
        { status: 202, headers: { "cache-control": "no-store" } },
      )
    })

    const remove = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const { identity, revision, state } = yield* findAuthorized(request)
      yield* rejectGuest(identity)
      return yield* enqueue(mediaCommandKind, { action: "delete", media_id: state.media_id }, ["delete", `${revision}`])
    })

    const cancel = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const { identity, state } = yield* findAuthorized(request)
      yield* rejectGuest(identity)
      if (state.status !== "processing") {
        return yield* problem(409, "not_processing", `this media is ${state.status}; there is nothing to cancel`)
      }
      return yield* enqueue(mediaCommandKind, { action: "cancel", media_id: state.media_id }, [
        "cancel",
        state.source_event_id,
      ])
    })

    const retry = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const { identity, state } = yield* findAuthorized(request)
      yield* rejectGuest(identity)
      if (state.status !== "failed") {
        return yield* problem(409, "not_failed", `this media is ${state.status}; only what failed is made again`)
      }
      if (state.upload === undefined) {
        return yield* problem(409, "upload_not_found", "what was uploaded is not known any more; upload it again")
      }
      const payload = { media_id: state.media_id, user_id: state.user_id }
      return yield* enqueue(mediaRetryKind, payload, [state.source_event_id])
    })

    yield* router.add("GET", "/v1/media/:id", (request) => catchProblems(show(request)))
    yield* router.add("DELETE", "/v1/media/:id", (request) => catchProblems(remove(request)))
    yield* router.add("POST", "/v1/media/:id/cancel", (request) => catchProblems(cancel(request)))
    yield* router.add("POST", "/v1/media/:id/retry", (request) => catchProblems(retry(request)))
  }),
)
