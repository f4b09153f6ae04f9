import { AudienceName } from "@armoricore/domain/Audience";
import { UserId } from "@armoricore/domain/Ids";
import { Audiences } from "@armoricore/state/Audiences";
import { Effect, Schema } from "effect";
import { HttpServerResponse } from "effect/http";
import { HttpApiBuilder } from "effect/http-api";
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts";
import { MemberChange } from "./contract/AudienceApi.ts";
import { asProblem, problem } from "./Problem.ts";
import { authenticatedBody } from "./PublisherAuthentication.ts";
import { wholeNumber } from "./QueryNumber.ts";
import * as RequestBody from "./RequestBody.ts";
/** A thousand ids of the greatest length. */
const maxRequestBytes = 1_048_576;
const [defaultLimit, maxLimit] = [100, 1_000];
const isName = Schema.is(AudienceName);
const isUserId = Schema.is(UserId);
export const layer = ({ signingKeys }) => HttpApiBuilder.group(ArmoricoreApi, "audiences", Effect.fnUntraced(function* (handlers) {
    const context = yield* Effect.context();
    const audiences = yield* Audiences;
    const respond = (handler) => asProblem(Effect.provideContext(handler, context));
    const authorized = Effect.fnUntraced(function* (request, name) {
        const { body } = yield* authenticatedBody(request, {
            signingKeys,
            roles: ["publisher"],
            maxBytes: maxRequestBytes,
        });
        if (isName(name))
            return body;
        return yield* problem(422, "invalid", "the name of an audience has 1 to 64 characters of A-Z a-z 0-9 _ -", "name");
    });
    const checkUser = (userId) => isUserId(userId)
        ? Effect.void
        : Effect.fail(problem(422, "invalid", "the user id in the path must have 1 to 128 characters without white space or control characters", "user_id"));
    const list = Effect.fn("AudienceApi.list")(function* (request, name, { after, limit }) {
        yield* authorized(request, name);
        const size = (yield* wholeNumber("limit", limit, 1, maxLimit)) ?? defaultLimit;
        if (after !== undefined && !/^[0-9]{1,4}\../su.test(after)) {
            return yield* problem(422, "invalid_cursor", "after is not a cursor; use next of the previous page", "after");
        }
        return HttpServerResponse.jsonUnsafe(yield* audiences.list(name, size, after));
    });
    const change = Effect.fn("AudienceApi.change")(function* (request, name) {
        const { add = [], remove = [] } = yield* RequestBody.decode(MemberChange, yield* authorized(request, name));
        return { added: yield* audiences.add(name, add), removed: yield* audiences.remove(name, remove) };
    });
    const addOne = Effect.fn("AudienceApi.add")(function* (request, name, userId) {
        yield* authorized(request, name);
        yield* checkUser(userId);
        yield* audiences.add(name, [userId]);
        return HttpServerResponse.empty({ status: 204 });
    });
    const removeOne = Effect.fn("AudienceApi.remove")(function* (request, name, userId) {
        yield* authorized(request, name);
        yield* checkUser(userId);
        if ((yield* audiences.remove(name, [userId])) === 0)
            return yield* problem(404, "not_found", `${userId} is no member of the audience ${name}`, "user_id");
        return HttpServerResponse.empty({ status: 204 });
    });
    return handlers
        .handleRaw("list", ({ params, query, request }) => respond(list(request, params.name, query)))
        .handleRaw("change", ({ params, request }) => respond(change(request, params.name)))
        .handleRaw("add", ({ params, request }) => respond(addOne(request, params.name, params.user_id)))
        .handleRaw("remove", ({ params, request }) => respond(removeOne(request, params.name, params.user_id)));
}));
