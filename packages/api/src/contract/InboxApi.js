/** The in-app inbox of a user, for pages without a socket and for backends. */
import { InboxItem } from "@armoricore/domain/Inbox";
import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api";
import { problems } from "../Problem.ts";
import { firstOf } from "./QueryParameter.ts";
import { NoStore, PublisherCredentials } from "./Security.ts";
export const userParams = { id: Schema.String.annotate({ description: "The user id, percent-encoded." }) };
export const InboxPage = Schema.Struct({
    items: Schema.Array(InboxItem).annotate({ description: "Ascending by `seq`." }),
    unread: Schema.Int.annotate({ description: "Unread items of the whole inbox." }),
    more: Schema.Boolean.annotate({
        description: "Items follow the page: later ones after a request with `after`, otherwise earlier ones.",
    }),
}).annotate({ identifier: "InboxPage" });
const itemIds = Schema.Array(Schema.String.check(Schema.isMaxLength(200))).check(Schema.isMinLength(1), Schema.isMaxLength(1_000));
export const ReadRequest = Schema.Struct({
    ids: Schema.optionalKey(itemIds.annotate({ description: "Without `ids`: all items." })),
    up_to: Schema.optionalKey(Schema.Int.annotate({ description: "Without `ids`: only items up to this `seq`." })),
}).annotate({ identifier: "InboxReadRequest" });
export const ArchiveRequest = Schema.Struct({ ids: itemIds }).annotate({ identifier: "InboxArchiveRequest" });
export const InboxChange = Schema.Struct({
    ids: Schema.Array(Schema.String).annotate({ description: "The items that changed." }),
    unread: Schema.Int,
}).annotate({ identifier: "InboxChange" });
export class InboxApi extends HttpApiGroup.make("inbox")
    .add(HttpApiEndpoint.get("list", "/v1/users/:id/inbox", {
    params: userParams,
    query: {
        before: firstOf("The newest items before this `seq`. Without `before` and `after`: the newest items."),
        after: firstOf("The oldest items after this `seq`."),
        limit: firstOf("Items per page, at most 200; default 50."),
        archived: firstOf("`true`: only archived items. Otherwise they are left out."),
        unread: firstOf("`true`: only unread items."),
    },
    success: InboxPage,
    error: problems(401, 403, 422, 503),
}).annotateMerge(OpenApi.annotations({
    summary: "Read the in-app inbox of a user",
    description: "The user's own token, the role `publisher` or `operator`, or a signature of the empty body.",
})), HttpApiEndpoint.post("read", "/v1/users/:id/inbox/read", {
    params: userParams,
    payload: ReadRequest,
    success: InboxChange,
    error: problems(400, 401, 403, 413, 422, 503),
}).annotateMerge(OpenApi.annotations({
    summary: "Mark items as read",
    description: "Every socket of the user receives `inbox_read`. Unknown ids are ignored.",
})), HttpApiEndpoint.post("archive", "/v1/users/:id/inbox/archive", {
    params: userParams,
    payload: ArchiveRequest,
    success: InboxChange,
    error: problems(400, 401, 403, 413, 422, 503),
}).annotateMerge(OpenApi.annotations({
    summary: "Archive items",
    description: "Archived items count as read. Every socket of the user receives `inbox_archived`.",
})))
    .middleware(PublisherCredentials)
    .middleware(NoStore)
    .annotateMerge(OpenApi.annotations({ title: "Inbox" })) {
}
