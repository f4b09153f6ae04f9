/** The suppression list of e-mail: list, add, remove. */
import { SuppressionList } from "@armoricore/state/SuppressionList";
import { Effect } from "effect";
import { Caller } from "../OperatorApi.ts";
import { clampLimit, mapErrors, notFound } from "./Errors.ts";
const [defaultLimit, maxLimit] = [100, 1_000];
export const make = Effect.gen(function* () {
    const suppressions = yield* SuppressionList;
    return {
        ListSuppressions: ({ limit, ...query }) => mapErrors(suppressions.list({ ...query, limit: clampLimit(limit, defaultLimit, maxLimit) })),
        AddSuppression: ({ note, reason = "manual", ...subject }) => Effect.flatMap(Caller, ({ userId }) => mapErrors(suppressions.add(subject, { reason, source: userId, evidence: note }))),
        RemoveSuppression: (subject) => mapErrors(Effect.flatMap(suppressions.remove(subject), (isRemoved) => isRemoved ? Effect.void : Effect.fail(notFound("suppression", subject.address ?? subject.hash ?? "")))),
    };
});
