/** The notification preferences of a user. */
import { Preferences } from "@armoricore/domain/Preferences";
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api";
import { problems } from "../Problem.ts";
import { userParams } from "./InboxApi.ts";
import { NoStore, PublisherCredentials } from "./Security.ts";
export const PreferenceDocument = Preferences.annotate({ identifier: "Preferences" });
export class PreferenceApi extends HttpApiGroup.make("preferences")
    .add(HttpApiEndpoint.get("get", "/v1/users/:id/preferences", {
    params: userParams,
    success: PreferenceDocument,
    error: problems(401, 403, 422, 503),
}).annotateMerge(OpenApi.annotations({
    summary: "Read the notification preferences of a user",
    description: "The user's own token, the role `publisher` or `operator`, or a signature of the empty body.",
})), HttpApiEndpoint.put("put", "/v1/users/:id/preferences", {
    params: userParams,
    payload: PreferenceDocument,
    success: PreferenceDocument,
    error: problems(400, 401, 403, 413, 422, 503),
}).annotateMerge(OpenApi.annotations({
    summary: "Replace the notification preferences of a user",
    description: "A channel that a category does not name follows the category `*`, and is on without it. Quiet hours delay push " +
        "and SMS. Categories of `NOTIFY_CRITICAL_CATEGORIES` ignore preferences.",
})))
    .middleware(PublisherCredentials)
    .middleware(NoStore)
    .annotateMerge(OpenApi.annotations({ title: "Preferences" })) {
}
