/** `GET /v1/media/{id}`: what is known of a media, for its owner or an operator. */
import { hasRole } from "@armoricore/auth/Identity"
import { MediaId } from "@armoricore/domain/Ids"
import { MediaState } from "@armoricore/domain/MediaState"
import * as Collection from "@armoricore/state/Collection"
import { mediaStates } from "@armoricore/state/MediaStates"
import { Effect, Option, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { caller } from "./Caller.ts"
import { answered, refuse } from "./Problem.ts"

const isId = Schema.is(MediaId)
/** Where its objects lie, and who works on it, stays inside. */
const Shown = Schema.Struct({
  media_id: MediaState.fields.media_id,
  user_id: MediaState.fields.user_id,
  status: MediaState.fields.status,
  stage: MediaState.fields.stage,
  percent: MediaState.fields.percent,
  rungs: MediaState.fields.rungs,
  timings: MediaState.fields.timings,
  ready: MediaState.fields.ready,
  failed: MediaState.fields.failed,
  updated_at: MediaState.fields.updated_at,
})
const encode = Schema.encodeEffect(Shown)

export const layer = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const states = yield* Collection.make(mediaStates)
    const show = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
      const identity = yield* caller(request)
      const { id = "" } = yield* HttpRouter.params
      const found = isId(id) ? yield* states.get(id) : Option.none()
      if (Option.isNone(found)) {
        return yield* refuse(
          404,
          "not_found",
          "no media with this id is known; it is known once its upload was published",
        )
      }
      const state = found.value.value
      if (state.user_id !== identity.userId && !hasRole(identity, "operator")) {
        return yield* refuse(403, "not_owner", "only the owner of a media or an operator may see this")
      }
      // It was decoded by the same schema a moment ago.
      const json = yield* Effect.orDie(encode(state))
      return HttpServerResponse.jsonUnsafe(json, { headers: { "cache-control": "no-store" } })
    })
    yield* router.add("GET", "/v1/media/:id", (request) => answered(show(request)))
  }),
)
