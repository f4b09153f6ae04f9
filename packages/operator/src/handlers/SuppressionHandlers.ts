/** The suppression list of e-mail: list, add, remove. */
import { type Query, type Reason, SuppressionList } from "@armoricore/state/SuppressionList"
import { Effect } from "effect"
import { Caller } from "../OperatorApi.ts"
import { clampLimit, mapErrors, notFound } from "./Errors.ts"

const [defaultLimit, maxLimit] = [100, 1_000]

interface Subject {
  readonly address?: string
  readonly hash?: string
  readonly category?: string
}

export const make = Effect.gen(function* () {
  const suppressions = yield* SuppressionList
  return {
    ListSuppressions: ({ limit, ...query }: Omit<Query, "limit"> & { readonly limit?: number }) =>
      mapErrors(suppressions.list({ ...query, limit: clampLimit(limit, defaultLimit, maxLimit) })),
    AddSuppression: ({
      note,
      reason = "manual",
      ...subject
    }: Subject & { readonly reason?: Reason; readonly note?: string }) =>
      Effect.flatMap(Caller, ({ userId }) =>
        mapErrors(suppressions.add(subject, { reason, source: userId, evidence: note })),
      ),
    RemoveSuppression: (subject: Subject) =>
      mapErrors(
        Effect.flatMap(suppressions.remove(subject), (isRemoved) =>
          isRemoved ? Effect.void : Effect.fail(notFound("suppression", subject.address ?? subject.hash ?? "")),
        ),
      ),
  }
})
