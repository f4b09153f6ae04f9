/** The members of audiences: sets of users that one request notifies. */
import { Schema } from "effect";
import { UserId } from "@armoricore/domain/Ids";
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api";
import { problems } from "../Problem.ts";
import { firstOf } from "./QueryParameter.ts";
import { NoStore, PublisherCredentials } from "./Security.ts";
const userIds = Schema.Array(UserId).check(Schema.isMaxLength(1_000));
export const MemberChange = Schema.Struct({
    add: Schema.optionalKey(userIds),
    remove: Schema.optionalKey(userIds),
}).annotate({ identifier: "AudienceMemberChange" });
export const MemberChanged = Schema.Struct({
    added: Schema.Int.annotate({ description: "Users who were not members before." }),
    removed: Schema.Int,
}).annotate({ identifier: "AudienceMemberChanged" });
export const MemberPage = Schema.Struct({
    user_ids: Schema.Array(Schema.String).annotate({ description: "In an order of its own." }),
    next: Schema.optionalKey(Schema.String.annotate({ description: "The `after` of the next page." })),
}).annotate({ identifier: "AudienceMembers" });
const audience = {
    name: Schema.String.annotate({ description: "1 to 64 characters of A-Z a-z 0-9 _ -" }),
};
const member = { ...audience, user_id: Schema.String.annotate({ description: "The user id, percent-encoded." }) };
const who = "Role `publisher`, or a signature of the body.";
export class AudienceApi extends HttpApiGroup.make("audiences")
    .add(HttpApiEndpoint.get("list", "/v1/audiences/:name/members", {
    params: audience,
    query: {
        after: firstOf("The value of `next` in the previous page."),
        limit: firstOf("Members per page, at most 1,000; default 100."),
    },
    success: MemberPage,
    error: problems(401, 403, 422, 503),
}).annotateMerge(OpenApi.annotations({ summary: "List the members of an audience", description: who })), HttpApiEndpoint.post("change", "/v1/audiences/:name/members", {
    params: audience,
    payload: MemberChange,
    success: MemberChanged,
    error: problems(400, 401, 403, 413, 422, 503),
}).annotateMerge(OpenApi.annotations({ summary: "Add and remove up to 1,000 members at once", description: who })), HttpApiEndpoint.put("add", "/v1/audiences/:name/members/:user_id", {
    params: member,
    success: HttpApiSchema.NoContent,
    error: problems(401, 403, 422, 503),
}).annotateMerge(OpenApi.annotations({ summary: "Add a member to an audience", description: who })), HttpApiEndpoint.delete("remove", "/v1/audiences/:name/members/:user_id", {
    params: member,
    success: HttpApiSchema.NoContent,
    error: problems(401, 403, 404, 422, 503),
}).annotateMerge(OpenApi.annotations({ summary: "Remove a member from an audience", description: who })))
    .middleware(PublisherCredentials)
    .middleware(NoStore)
    .annotateMerge(OpenApi.annotations({ title: "Audiences" })) {
}
