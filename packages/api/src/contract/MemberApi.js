/** The members of rooms, for backends and operators. */
import { RoomId, UserId } from "@armoricore/domain/Ids";
import { Member, RoleName } from "@armoricore/realtime/access/RoomMembers";
import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api";
import { problems } from "../Problem.ts";
import { firstOf } from "./QueryParameter.ts";
import { NoStore, PublisherCredentials } from "./Security.ts";
const room = { id: Schema.String.annotate({ description: "The room id: `lobby` of `chat:room:lobby`." }) };
const member = { ...room, user_id: Schema.String.annotate({ description: "Percent-encoded." }) };
/** The parameters of the path, as the handlers check them. */
export const MemberPath = Schema.Struct({ id: RoomId, user_id: UserId });
export const MemberRequest = Schema.Struct({
    role: Schema.optionalKey(Schema.NullOr(RoleName).annotate({
        description: "In this room it replaces the roles of the token: for example `moderator`, or `guest` to read only.",
    })),
}).annotate({ identifier: "MemberRequest" });
export const RoomMember = Schema.toEncoded(Member).annotate({ identifier: "RoomMember" });
export const RoomMemberPage = Schema.Struct({
    members: Schema.Array(RoomMember),
    next: Schema.optionalKey(Schema.String.annotate({ description: "The value of `after` for the next page." })),
}).annotate({ identifier: "RoomMembers" });
export const RemovedMember = Schema.Struct({
    removed: Schema.Boolean.annotate({ description: "False: the user was no member." }),
    ended: Schema.Int.annotate({ description: "Joined topics of the user that were ended." }),
    unresponsive: Schema.Array(Schema.String).annotate({
        description: "Nodes that did not reply in time. They end the topics once the bus reaches them.",
    }),
}).annotate({ identifier: "RemovedMember" });
export class MemberApi extends HttpApiGroup.make("members")
    .add(HttpApiEndpoint.get("list", "/v1/rooms/:id/members", {
    params: room,
    query: {
        after: firstOf("The value of `next` in the previous page."),
        limit: firstOf("Members per page, at most 1,000; default 100."),
    },
    success: RoomMemberPage,
    error: problems(401, 403, 422, 503),
}).annotateMerge(OpenApi.annotations({
    summary: "List the members of a room",
    description: "Role `publisher` or `operator`, or a signature of the empty body.",
})), HttpApiEndpoint.put("put", "/v1/rooms/:id/members/:user_id", {
    params: member,
    payload: MemberRequest,
    success: RoomMember,
    error: problems(400, 401, 403, 413, 422, 503),
}).annotateMerge(OpenApi.annotations({
    summary: "Add a member to a room, or change its role",
    description: "The user may then join `chat:room:{id}`, `presence:room:{id}` and `room:{id}` where they have the policy " +
        "`members`. A changed role counts at once. The body may be empty. Role `publisher` or `operator`, or a signature.",
})), HttpApiEndpoint.delete("remove", "/v1/rooms/:id/members/:user_id", {
    params: member,
    success: RemovedMember,
    error: problems(401, 403, 422, 503),
}).annotateMerge(OpenApi.annotations({
    summary: "Remove a member from a room",
    description: "Open sockets of the user lose the topics that the membership had allowed (`phx_close`). Role `publisher` or " +
        "`operator`, or a signature of the empty body.",
})))
    .middleware(PublisherCredentials)
    .middleware(NoStore)
    .annotateMerge(OpenApi.annotations({ title: "Members of rooms" })) {
}
