import { Inboxes } from "@armoricore/realtime/inbox/Inboxes";
import { Effect } from "effect";
import { HttpServerResponse } from "effect/http";
import { HttpApiBuilder } from "effect/http-api";
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts";
import { ArchiveRequest, ReadRequest } from "./contract/InboxApi.ts";
import { asProblem, problem } from "./Problem.ts";
import { wholeNumber } from "./QueryNumber.ts";
import * as RequestBody from "./RequestBody.ts";
import * as UserAccess from "./UserAccess.ts";
const [defaultLimit, maxLimit] = [50, 200];
export const layer = ({ signingKeys }) => HttpApiBuilder.group(ArmoricoreApi, "inbox", Effect.fnUntraced(function* (handlers) {
    const context = yield* Effect.context();
    const inboxes = yield* Inboxes;
    const respond = (handler) => asProblem(Effect.provideContext(handler, context));
    const list = Effect.fn("InboxApi.list")(function* (request, id, query) {
        const { userId } = yield* UserAccess.authorize(request, id, signingKeys);
        const before = yield* wholeNumber("before", query.before, 0);
        const after = yield* wholeNumber("after", query.after, 0);
        const limit = (yield* wholeNumber("limit", query.limit, 1, maxLimit)) ?? defaultLimit;
        if (before !== undefined && after !== undefined) {
            return yield* problem(422, "invalid", "before and after exclude each other: send one of them", "after");
        }
        const archived = yield* flag("archived", query.archived);
        const unreadOnly = yield* flag("unread", query.unread);
        return HttpServerResponse.jsonUnsafe(yield* inboxes.list(userId, { before, after, limit, archived, unreadOnly }));
    });
    const read = Effect.fn("InboxApi.read")(function* (request, id) {
        const { body, userId } = yield* UserAccess.authorize(request, id, signingKeys);
        const { ids, up_to } = body.byteLength === 0 ? {} : yield* RequestBody.decode(ReadRequest, body);
        return yield* ids === undefined ? inboxes.markAllRead(userId, up_to) : inboxes.markRead(userId, ids);
    });
    const archive = Effect.fn("InboxApi.archive")(function* (request, id) {
        const { body, userId } = yield* UserAccess.authorize(request, id, signingKeys);
        return yield* inboxes.archive(userId, (yield* RequestBody.decode(ArchiveRequest, body)).ids);
    });
    return handlers
        .handleRaw("list", ({ params, query, request }) => respond(list(request, params.id, query)))
        .handleRaw("read", ({ params, request }) => respond(read(request, params.id)))
        .handleRaw("archive", ({ params, request }) => respond(archive(request, params.id)));
}));
/** A query parameter that is `true` or `false`. */
const flag = (name, text) => text === undefined || text === "true" || text === "false"
    ? Effect.succeed(text === undefined ? undefined : text === "true")
    : Effect.fail(problem(422, "invalid", `${name} must be true or false`, name));
