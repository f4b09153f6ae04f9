/** What users have read: their rooms with unread counts. */
import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api";
import { problems } from "../Problem.ts";
import { firstOf } from "./QueryParameter.ts";
import { NoStore, PublisherCredentials } from "./Security.ts";
export const UserRoom = Schema.Struct({
    topic: Schema.String,
    room_id: Schema.String,
    seq: Schema.Int.annotate({ description: "The last `seq` that the user has read." }),
    unread: Schema.Int.annotate({ description: "Messages after it, counted up to 1,000." }),
}).annotate({ identifier: "UserRoom" });
export class ReadStateApi extends HttpApiGroup.make("readState")
    .add(HttpApiEndpoint.get("rooms", "/v1/users/:id/rooms", {
    params: { id: Schema.String.annotate({ description: "The user id, percent-encoded." }) },
    query: { limit: firstOf("Rooms, the most recently read first; at most 500, default 100.") },
    success: Schema.Struct({ rooms: Schema.Array(UserRoom) }),
    error: problems(401, 403, 422, 503),
}).annotateMerge(OpenApi.annotations({
    summary: "List the rooms of a user with unread counts",
    description: "The rooms in which the user has marked messages as read, was mentioned, or became a member. " +
        "With the user's own token, the role `publisher` or `operator`, or a signature of the empty body.",
})))
    .middleware(PublisherCredentials)
    .middleware(NoStore)
    .annotateMerge(OpenApi.annotations({ title: "Read state" })) {
}
