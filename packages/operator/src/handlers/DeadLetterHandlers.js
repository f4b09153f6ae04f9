/** Dead letters: list, search, show, replay unchanged or edited, discard. */
import { DeadLetters } from "@armoricore/worker/dead-letters/DeadLetters";
import { Effect } from "effect";
import { DeadLetterIndex, toApi } from "../DeadLetterIndex.ts";
import { mapErrors, clampLimit } from "./Errors.ts";
const [defaultLimit, maxLimit] = [100, 1_000];
const defaultPageSize = 50;
export const make = Effect.gen(function* () {
    const deadLetters = yield* DeadLetters;
    const index = yield* DeadLetterIndex;
    /** Also after `NotFound`: the index then lists what no longer exists. */
    const forgetting = (id, action) => action.pipe(Effect.tap(() => Effect.sync(() => index.forget(id))), Effect.tapError(({ _tag }) => Effect.sync(() => void (_tag === "NotFound" && index.forget(id)))));
    return {
        ListDeadLetters: ({ limit, ...filter }) => mapErrors(Effect.map(deadLetters.list({ ...filter, limit: clampLimit(limit, defaultLimit, maxLimit) }), (found) => found.map(toApi))),
        SearchDeadLetters: ({ limit, offset = 0, ...selection }) => mapErrors(index.page(selection, { offset, limit: clampLimit(limit, defaultPageSize, maxLimit) })),
        SelectDeadLetters: (selection) => mapErrors(Effect.map(index.select(selection), (ids) => ({ ids }))),
        GetDeadLetter: ({ id }) => mapErrors(Effect.map(deadLetters.get(id), (deadLetter) => ({
            ...toApi(deadLetter),
            body: new TextDecoder().decode(deadLetter.body),
            bytes: deadLetter.body.byteLength,
        }))),
        ReplayDeadLetter: ({ body, id }) => mapErrors(body === undefined
            ? forgetting(id, deadLetters.replay(id))
            : // The original stays until a worker has handled the edited message.
                deadLetters.replay(id, new TextEncoder().encode(body))),
        DiscardDeadLetter: ({ id }) => mapErrors(forgetting(id, deadLetters.discard(id))),
    };
});
