/** `GET`, `POST` and `DELETE /v1/suppressions`, and its export: the suppression list of e-mail, for operators. */
import { exportCsv, Reason, reasons, SuppressionList } from "@armoricore/state/SuppressionList";
import { Effect, Schema, Stream } from "effect";
import { HttpServerResponse } from "effect/http";
import { HttpApiBuilder } from "effect/http-api";
import { requireRole } from "./Authentication.ts";
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts";
import { CurrentIdentity } from "./contract/Security.ts";
import { SuppressionRequest } from "./contract/SuppressionApi.ts";
import { asProblem, problem } from "./Problem.ts";
import * as RequestBody from "./RequestBody.ts";
const [defaultLimit, maxLimit] = [100, 1_000];
const maxRequestBytes = 16_384;
const isReason = Schema.is(Reason);
const requireOperator = Effect.flatMap(CurrentIdentity, (identity) => Effect.as(requireRole(identity, "operator"), identity));
export const layer = HttpApiBuilder.group(ArmoricoreApi, "suppressions", Effect.fnUntraced(function* (handlers) {
    const suppressions = yield* SuppressionList;
    const list = Effect.fn("SuppressionApi.list")(function* ({ limit: limitText, reason, ...query }) {
        yield* requireOperator;
        const limit = limitText === undefined ? defaultLimit : Number(limitText);
        if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit) {
            return yield* problem(422, "invalid_limit", `limit must be a whole number from 1 to ${maxLimit}`, "limit");
        }
        if (reason !== undefined && !isReason(reason)) {
            return yield* problem(422, "invalid_reason", `reason must be one of ${reasons.join(", ")}`, "reason");
        }
        const { entries, next } = yield* suppressions.list({ ...query, reason, limit });
        return { suppressions: entries.map(toResponse), ...(next === undefined ? {} : { next }) };
    });
    const add = Effect.fn("SuppressionApi.add")(function* (request) {
        const { userId } = yield* requireOperator;
        const { note, reason = "manual", ...subject } = yield* RequestBody.json(request, SuppressionRequest, maxRequestBytes);
        const entry = yield* suppressions.add(subject, { reason, source: userId, evidence: note });
        yield* Effect.logInfo("an operator suppressed an address", { hash: entry.hash, reason, user_id: userId });
        return toResponse(entry);
    });
    const remove = Effect.fn("SuppressionApi.remove")(function* (subject) {
        const { userId } = yield* requireOperator;
        if (!(yield* suppressions.remove(subject))) {
            return yield* problem(404, "not_found", "the list has no such entry; to delete an entry of one category, also send its `category`");
        }
        yield* Effect.logInfo("an operator removed a suppression", { hash: subject.hash, user_id: userId });
    });
    const exportAll = Effect.fn("SuppressionApi.export")(function* () {
        yield* requireOperator;
        return HttpServerResponse.stream(Stream.encodeText(exportCsv(suppressions)), {
            contentType: "text/csv; charset=utf-8",
            headers: { "content-disposition": 'attachment; filename="suppressions.csv"' },
        });
    });
    return handlers
        .handle("list", ({ query }) => asProblem(list(query)))
        .handleRaw("export", () => asProblem(exportAll()))
        .handleRaw("add", ({ request }) => asProblem(add(request)))
        .handle("remove", ({ query }) => asProblem(remove(query)));
}));
const toResponse = ({ last_at, since, ...entry }) => ({
    ...entry,
    since: new Date(since).toISOString(),
    ...(last_at === undefined ? {} : { last_at: new Date(last_at).toISOString() }),
});
