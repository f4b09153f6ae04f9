/** The erasure of a user, for backends and operators. */
import { EventId, UserId } from "@armoricore/domain/Ids";
import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api";
import { problems } from "../Problem.ts";
import { Authentication, NoStore } from "./Security.ts";
const Accepted = Schema.Struct({
    user_id: UserId,
    /** The `user.erase_requested` event. */
    event_id: EventId,
}).pipe(HttpApiSchema.status(202));
export class ErasureApi extends HttpApiGroup.make("erasure")
    .add(HttpApiEndpoint.delete("erase", "/v1/users/:id", {
    params: { id: Schema.String.annotate({ description: "The user id, percent-encoded." }) },
    success: Accepted,
    error: problems(401, 403, 422, 503),
}).annotateMerge(OpenApi.annotations({
    summary: "Erase a user",
    description: "Queues the removal of everything about the user; `user.erased` follows with the number of removed entries by " +
        "store. Role `publisher` or `operator`.",
})))
    .middleware(Authentication)
    .middleware(NoStore)
    .annotateMerge(OpenApi.annotations({ title: "Erasure" })) {
}
