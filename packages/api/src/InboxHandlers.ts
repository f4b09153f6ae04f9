/** `/v1/users/{id}/inbox`: what a page without a socket, or a backend, does with the in-app inbox of a user. */
import type { Revocations } from "@armoricore/auth/Revocations"
import type { Tokens } from "@armoricore/auth/Tokens"
import type { SigningKeys } from "@armoricore/domain/Signature"
import { Inboxes } from "@armoricore/realtime/inbox/Inboxes"
import { Effect } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts"
import { ArchiveRequest, ReadRequest } from "./contract/InboxApi.ts"
import { type ApiError, asProblem, problem } from "./Problem.ts"
import { wholeNumber } from "./QueryNumber.ts"
import * as RequestBody from "./RequestBody.ts"
import * as UserAccess from "./UserAccess.ts"

const [defaultLimit, maxLimit] = [50, 200]

interface PageQuery {
  readonly before?: string
  readonly after?: string
  readonly limit?: string
  readonly archived?: string
  readonly unread?: string
}

type Request = HttpServerRequest.HttpServerRequest

export const layer = ({ signingKeys }: { readonly signingKeys: SigningKeys }) =>
  HttpApiBuilder.group(
    ArmoricoreApi,
    "inbox",
    Effect.fnUntraced(function* (handlers) {
      const context = yield* Effect.context<Tokens | Revocations>()
      const inboxes = yield* Inboxes
      const respond = <A>(handler: Effect.Effect<A, ApiError, Tokens | Revocations>) =>
        asProblem(Effect.provideContext(handler, context))

      const list = Effect.fn("InboxApi.list")(function* (request: Request, id: string, query: PageQuery) {
        const { userId } = yield* UserAccess.authorize(request, id, signingKeys)
        const before = yield* wholeNumber("before", query.before, 0)
        const after = yield* wholeNumber("after", query.after, 0)
        const limit = (yield* wholeNumber("limit", query.limit, 1, maxLimit)) ?? defaultLimit
        if (before !== undefined && after !== undefined) {
          return yield* problem(422, "invalid", "before and after exclude each other: send one of them", "after")
        }
        const archived = yield* flag("archived", query.archived)
        const unreadOnly = yield* flag("unread", query.unread)
        return HttpServerResponse.jsonUnsafe(
          yield* inboxes.list(userId, { before, after, limit, archived, unreadOnly }),
        )
      })

      const read = Effect.fn("InboxApi.read")(function* (request: Request, id: string) {
        const { body, userId } = yield* UserAccess.authorize(request, id, signingKeys)
        const { ids, up_to } =
          body.byteLength === 0 ? {} : yield* RequestBody.decode(ReadRequest, body, { exact: true })
        return yield* ids === undefined ? inboxes.markAllRead(userId, up_to) : inboxes.markRead(userId, ids)
      })

      const archive = Effect.fn("InboxApi.archive")(function* (request: Request, id: string) {
        const { body, userId } = yield* UserAccess.authorize(request, id, signingKeys)
        return yield* inboxes.archive(userId, (yield* RequestBody.decode(ArchiveRequest, body)).ids)
      })

      return handlers
        .handleRaw("list", ({ params, query, request }) => respond(list(request, params.id, query)))
        .handleRaw("read", ({ params, request }) => respond(read(request, params.id)))
        .handleRaw("archive", ({ params, request }) => respond(archive(request, params.id)))
    }),
  )

/** A query parameter that is `true` or `false`. */
const flag = (name: string, text: string | undefined) =>
  text === undefined || text === "true" || text === "false"
    ? Effect.succeed(text === undefined ? undefined : text === "true")
    : Effect.fail(problem(422, "invalid", `${name} must be true or false`, name))
