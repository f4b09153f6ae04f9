/** The dead letters of another process, for `armoricore dead-letters --url`. */
import { NotFound, PermanentError, TransientError } from "@armoricore/domain/Errors";
import { OperatorClient } from "@armoricore/operator/OperatorClient";
import { DeadLetters } from "@armoricore/worker/dead-letters/DeadLetters";
import { Effect, Layer } from "effect";
import { isConnectionError, noOperatorApi, operatorClient } from "./support.ts";
/** Dead letters over the operator API of a running installation, in place of direct access to the bus. */
export const remoteDeadLetters = (target) => Layer.effect(DeadLetters, Effect.gen(function* () {
    const api = yield* OperatorClient;
    const toDeadLetter = ({ id, trace_id: _trace, cause: _cause, ...info }, body) => ({
        id,
        record: { ...info, subject: "", message_id: "" },
        body: new TextEncoder().encode(body),
    });
    return DeadLetters.of({
        list: Effect.fnUntraced(function* ({ limit, ...filter }) {
            const letters = [];
            while (letters.length < limit) {
                const batchSize = Math.min(limit - letters.length, maxPageSize);
                const after = letters.at(-1)?.id ?? filter.after;
                const page = yield* api
                    .ListDeadLetters({ ...filter, limit: batchSize, ...(after === undefined ? {} : { after }) })
                    .pipe(Effect.mapError(transientError));
                letters.push(...page);
                if (page.length < batchSize)
                    break;
            }
            return letters.map((letter) => toDeadLetter(letter, ""));
        }),
        get: (id) => api.GetDeadLetter({ id }).pipe(Effect.map(({ body, bytes: _bytes, ...letter }) => toDeadLetter(letter, body)), Effect.mapError((error) => notFoundError(id, error) ?? transientError(error))),
        replay: (id, body) => api
            .ReplayDeadLetter({ id, ...(body === undefined ? {} : { body: new TextDecoder().decode(body) }) })
            .pipe(Effect.mapError((error) => notFoundError(id, error) ?? replayError(error))),
        discard: (id) => api
            .DiscardDeadLetter({ id })
            .pipe(Effect.mapError((error) => notFoundError(id, error) ?? transientError(error))),
    });
})).pipe(Layer.provide(operatorClient(target)));
/** The largest page of the API. */
const maxPageSize = 1_000;
const notFoundError = (id, error) => "code" in error && error.code === "not_found" ? new NotFound({ resource: "dead letter", id }) : undefined;
const transientError = (error) => new TransientError({
    dependency: "operator",
    code: "failed",
    message: isConnectionError(error) ? noOperatorApi("at this URL") : error.message,
});
const replayError = (error) => error._tag === "ActionRejected"
    ? new PermanentError({ code: "refused", message: error.message })
    : transientError(error);
