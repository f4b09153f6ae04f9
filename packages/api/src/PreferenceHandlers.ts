/** `GET` and `PUT /v1/users/{id}/preferences`. */
import type { Revocations } from "@armoricore/auth/Revocations"
import type { Tokens } from "@armoricore/auth/Tokens"
import { preferenceChannels, Preferences } from "@armoricore/domain/Preferences"
import type { SigningKeys } from "@armoricore/domain/Signature"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { Effect, Schema } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts"
import { PreferenceDocument } from "./contract/PreferenceApi.ts"
import { type ApiError, asProblem } from "./Problem.ts"
import * as RequestBody from "./RequestBody.ts"
import * as UserAccess from "./UserAccess.ts"

/** The body replaces everything, so a misspelt name would clear a choice: it is refused. */
const NotEmpty = Schema.Record(Schema.String, Schema.Unknown).check(
  Schema.makeFilter((body: object) => {
    const names = Object.keys(body)
    if (names.length === 0)
      return {
        path: ["categories"],
        issue: "send at least one of categories, quiet_hours and locale; others are cleared",
      }
    const unknown = names.find((name) => !Object.hasOwn(Preferences.fields, name))
    if (unknown !== undefined)
      return { path: [unknown], issue: `unknown field; the fields are ${Object.keys(Preferences.fields).join(", ")}` }
    const [channel] = Object.entries(recordOf("categories" in body ? body.categories : undefined)).flatMap(
      ([category, choice]) =>
        Object.keys(recordOf(choice)).flatMap((name) =>
          preferenceChannels.some((known) => known === name) ? [] : [["categories", category, name]],
        ),
    )
    return channel === undefined
      ? undefined
      : { path: channel, issue: `unknown channel; the channels are ${preferenceChannels.join(", ")}` }
  }),
)

const recordOf = (value: unknown): object => (typeof value === "object" && value !== null ? value : {})

type Request = HttpServerRequest.HttpServerRequest

export const layer = ({ signingKeys }: { readonly signingKeys: SigningKeys }) =>
  HttpApiBuilder.group(
    ArmoricoreApi,
    "preferences",
    Effect.fnUntraced(function* (handlers) {
      const context = yield* Effect.context<Tokens | Revocations>()
      const preferences = yield* UserPreferences
      const respond = <A>(handler: Effect.Effect<A, ApiError, Tokens | Revocations>) =>
        asProblem(Effect.provideContext(handler, context))

      const get = Effect.fn("PreferenceApi.get")(function* (request: Request, id: string) {
        const { userId } = yield* UserAccess.authorize(request, id, signingKeys)
        return HttpServerResponse.jsonUnsafe(yield* preferences.get(userId))
      })

      const put = Effect.fn("PreferenceApi.put")(function* (request: Request, id: string) {
        const { body, userId } = yield* UserAccess.authorize(request, id, signingKeys)
        yield* RequestBody.decode(NotEmpty, body)
        const wanted = yield* RequestBody.decode(PreferenceDocument, body)
        yield* preferences.put(userId, wanted)
        return wanted
      })

      return handlers
        .handleRaw("get", ({ params, request }) => respond(get(request, params.id)))
        .handleRaw("put", ({ params, request }) => respond(put(request, params.id)))
    }),
  )
