import * as Topic from "@armoricore/realtime/channel/Topic";
import { ReadState } from "@armoricore/realtime/rooms/ReadState";
import { Effect } from "effect";
import { HttpServerResponse } from "effect/http";
import { HttpApiBuilder } from "effect/http-api";
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts";
import { asProblem } from "./Problem.ts";
import { wholeNumber } from "./QueryNumber.ts";
import * as UserAccess from "./UserAccess.ts";
const [defaultLimit, maxLimit] = [100, 500];
export const layer = ({ signingKeys }) => HttpApiBuilder.group(ArmoricoreApi, "readState", Effect.fnUntraced(function* (handlers) {
    const context = yield* Effect.context();
    const readState = yield* ReadState;
    const rooms = Effect.fn("ReadStateApi.rooms")(function* (request, id, query) {
        const { userId } = yield* UserAccess.authorize(request, id, signingKeys);
        const limit = yield* wholeNumber("limit", query.limit, 1, maxLimit);
        const found = yield* readState.ofUser(userId, limit ?? defaultLimit);
        return HttpServerResponse.jsonUnsafe({
            rooms: found.map(({ seq, topic, unread }) => ({ topic, room_id: Topic.roomIdOf(topic), seq, unread })),
        });
    });
    return handlers.handleRaw("rooms", ({ params, query, request }) => asProblem(Effect.provideContext(rooms(request, params.id, query), context)));
}));
