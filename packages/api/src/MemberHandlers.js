import { describeSchemaError } from "@armoricore/domain/EventCodec";
import { RoomMembership } from "@armoricore/realtime/access/RoomMembership";
import { Effect, Schema } from "effect";
import { HttpServerResponse } from "effect/http";
import { HttpApiBuilder } from "effect/http-api";
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts";
import { MemberPath, MemberRequest } from "./contract/MemberApi.ts";
import { asProblem, problem } from "./Problem.ts";
import { authenticatedBody } from "./PublisherAuthentication.ts";
import { wholeNumber } from "./QueryNumber.ts";
import * as RequestBody from "./RequestBody.ts";
const maxRequestBytes = 4096;
const [defaultLimit, maxLimit] = [100, 1_000];
export const layer = ({ signingKeys }) => HttpApiBuilder.group(ArmoricoreApi, "members", Effect.fnUntraced(function* (handlers) {
    const context = yield* Effect.context();
    const membership = yield* RoomMembership;
    const respond = (handler) => asProblem(Effect.map(Effect.provideContext(handler, context), (body) => HttpServerResponse.jsonUnsafe(body)));
    const authenticated = (request) => Effect.map(authenticatedBody(request, { signingKeys, roles: ["publisher", "operator"], maxBytes: maxRequestBytes }), ({ body }) => body);
    const list = Effect.fn("MemberApi.list")(function* (request, id, query) {
        yield* authenticated(request);
        const path = yield* decodePath(MemberPath.fields.id, id, "id");
        const limit = (yield* wholeNumber("limit", query.limit, 1, maxLimit)) ?? defaultLimit;
        return yield* membership.list(path, { limit, ...(query.after === undefined ? {} : { after: query.after }) });
    });
    const put = Effect.fn("MemberApi.put")(function* (request, params) {
        const bytes = yield* authenticated(request);
        const { id, user_id } = yield* decodePath(MemberPath, params);
        const { role } = bytes.byteLength === 0 ? {} : yield* RequestBody.decode(MemberRequest, bytes);
        return yield* membership.put(id, user_id, role ?? undefined);
    });
    const remove = Effect.fn("MemberApi.remove")(function* (request, params) {
        yield* authenticated(request);
        const { id, user_id } = yield* decodePath(MemberPath, params);
        return yield* membership.remove(id, user_id);
    });
    return handlers
        .handleRaw("list", ({ params, query, request }) => respond(list(request, params.id, query)))
        .handleRaw("put", ({ params, request }) => respond(put(request, params)))
        .handleRaw("remove", ({ params, request }) => respond(remove(request, params)));
}));
const decodePath = (schema, input, name) => Effect.mapError(Schema.decodeUnknownEffect(schema)(input), (error) => {
    const { message, path } = describeSchemaError(error, { input, whole: name ?? "the path" });
    return problem(422, "invalid", message, name ?? path);
});
