/** `DELETE /v1/users/{id}`: publishes `user.erase_requested`; 202 means that the bus has acknowledged it. */
import { hasRole } from "@armoricore/auth/Identity";
import { event } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { UserId } from "@armoricore/domain/Ids";
import { Clock, Effect, Schema } from "effect";
import { HttpApiBuilder } from "effect/http-api";
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts";
import { CurrentIdentity } from "./contract/Security.ts";
import { asProblem, problem } from "./Problem.ts";
const isUserId = Schema.is(UserId);
const type = "user.erase_requested";
export const layer = HttpApiBuilder.group(ArmoricoreApi, "erasure", Effect.fnUntraced(function* (handlers) {
    const bus = yield* EventBus;
    const erase = Effect.fn("ErasureApi.erase")(function* (userId) {
        const identity = yield* CurrentIdentity;
        if (!hasRole(identity, "publisher") && !hasRole(identity, "operator")) {
            return yield* problem(403, "role_missing", "the token lacks the role publisher or operator; ask for one that has it");
        }
        if (!isUserId(userId)) {
            return yield* problem(422, "invalid", "a user id has 1 to 128 characters without spaces or control characters", "id");
        }
        const eventId = crypto.randomUUID();
        const envelope = {
            event_type: type,
            event_id: eventId,
            timestamp: new Date(yield* Clock.currentTimeMillis).toISOString(),
            source: "realtime",
            schema_version: 1,
            payload: { user_id: userId },
        };
        const body = new TextEncoder().encode(JSON.stringify(envelope));
        yield* bus.publish({ address: event(type), id: eventId, body });
        yield* Effect.logInfo("The erasure of a user was requested", { event_id: eventId, by: identity.userId });
        return { user_id: userId, event_id: eventId };
    });
    return handlers.handleAll({ erase: ({ params }) => asProblem(erase(params.id)) });
}));
