import { UserPreferences } from "@armoricore/state/UserPreferences";
import { Effect } from "effect";
import { HttpServerResponse } from "effect/http";
import { HttpApiBuilder } from "effect/http-api";
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts";
import { PreferenceDocument } from "./contract/PreferenceApi.ts";
import { asProblem } from "./Problem.ts";
import * as RequestBody from "./RequestBody.ts";
import * as UserAccess from "./UserAccess.ts";
export const layer = ({ signingKeys }) => HttpApiBuilder.group(ArmoricoreApi, "preferences", Effect.fnUntraced(function* (handlers) {
    const context = yield* Effect.context();
    const preferences = yield* UserPreferences;
    const respond = (handler) => asProblem(Effect.provideContext(handler, context));
    const get = Effect.fn("PreferenceApi.get")(function* (request, id) {
        const { userId } = yield* UserAccess.authorize(request, id, signingKeys);
        return HttpServerResponse.jsonUnsafe(yield* preferences.get(userId));
    });
    const put = Effect.fn("PreferenceApi.put")(function* (request, id) {
        const { body, userId } = yield* UserAccess.authorize(request, id, signingKeys);
        const wanted = yield* RequestBody.decode(PreferenceDocument, body);
        yield* preferences.put(userId, wanted);
        return wanted;
    });
    return handlers
        .handleRaw("get", ({ params, request }) => respond(get(request, params.id)))
        .handleRaw("put", ({ params, request }) => respond(put(request, params.id)));
}));
