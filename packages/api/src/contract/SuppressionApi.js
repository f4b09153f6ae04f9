/** The suppression list of e-mail, for operators. */
import { Reason } from "@armoricore/domain/Suppression";
import { Schema } from "effect";
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api";
import { problems } from "../Problem.ts";
import { firstOf } from "./QueryParameter.ts";
import { Authentication, NoStore } from "./Security.ts";
export const SuppressionResponse = Schema.Struct({
    hash: Schema.String.annotate({ description: "SHA-256 of the address in lower case." }),
    category: Schema.optionalKey(Schema.String.annotate({ description: "Only e-mail of this category is suppressed; absent: all e-mail." })),
    reason: Schema.String,
    since: Schema.String.annotate({ description: "When the entry was added, RFC 3339." }),
    last_at: Schema.optionalKey(Schema.String.annotate({ description: "When a reason was last reported again." })),
    source: Schema.optionalKey(Schema.String.annotate({ description: "A provider, `reader`, or the user id of an operator." })),
    evidence: Schema.optionalKey(Schema.String.annotate({ description: "The reply of the server or the report of the provider." })),
    delivery_id: Schema.optionalKey(Schema.String),
}).annotate({ identifier: "Suppression" });
export const SuppressionPage = Schema.Struct({
    suppressions: Schema.Array(SuppressionResponse),
    next: Schema.optionalKey(Schema.String.annotate({ description: "The value of `after` for the next page." })),
}).annotate({ identifier: "Suppressions" });
export const SuppressionRequest = Schema.Struct({
    address: Schema.optionalKey(Schema.String),
    hash: Schema.optionalKey(Schema.String),
    category: Schema.optionalKey(Schema.String),
    reason: Schema.optionalKey(Reason.annotate({ description: "Default: `manual`." })),
    note: Schema.optionalKey(Schema.String.annotate({ description: "Stored as evidence." })),
}).annotate({ identifier: "SuppressionRequest" });
const subject = {
    address: firstOf("The e-mail address."),
    hash: firstOf("The hash of an entry, in place of the address."),
};
export class SuppressionApi extends HttpApiGroup.make("suppressions")
    .add(HttpApiEndpoint.get("list", "/v1/suppressions", {
    query: {
        ...subject,
        reason: firstOf("Only entries with this reason."),
        after: firstOf("The value of `next` in the previous page."),
        limit: firstOf("Entries per page, at most 1,000; default 100."),
    },
    success: SuppressionPage,
    error: problems(400, 401, 403, 422, 503),
}).annotateMerge(OpenApi.annotations({ summary: "List suppressed addresses, or find one" })), HttpApiEndpoint.get("export", "/v1/suppressions/export", {
    success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/csv; charset=utf-8" })),
    error: problems(401, 403, 503),
}).annotateMerge(OpenApi.annotations({ summary: "Export the whole list as CSV" })), HttpApiEndpoint.post("add", "/v1/suppressions", {
    payload: SuppressionRequest,
    success: SuppressionResponse.pipe(HttpApiSchema.status(201)),
    error: problems(400, 401, 403, 413, 422, 503),
}).annotateMerge(OpenApi.annotations({
    summary: "Suppress an address",
    description: "An entry that exists is updated; a reason with less weight does not replace it.",
})), HttpApiEndpoint.delete("remove", "/v1/suppressions", {
    query: { ...subject, category: firstOf("The category of the entry.") },
    success: HttpApiSchema.NoContent,
    error: problems(401, 403, 404, 422, 503),
}).annotateMerge(OpenApi.annotations({ summary: "Remove an entry, so that e-mail is sent again" })))
    .middleware(Authentication)
    .middleware(NoStore)
    .annotateMerge(OpenApi.annotations({ title: "Suppressions" })) {
}
