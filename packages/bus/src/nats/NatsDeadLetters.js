/** The dead letters in their stream, browsed by direct gets, so that browsing leaves no consumer behind. */
import { NotFound } from "@armoricore/domain/Errors";
import { Effect } from "effect";
import { deadLetter, prefixes, subject } from "../Address.ts";
import { errorFrom, isNotFound } from "@armoricore/nats/NatsErrors";
import * as DirectGet from "@armoricore/nats/DirectGet";
import * as NatsDeadLetterBodies from "./NatsDeadLetterBodies.ts";
import { streamNames } from "./NatsStreams.ts";
const stream = streamNames.dead;
const resource = `stream ${stream}`;
export const make = (jetstream) => {
    const find = (query) => Effect.flatMap(jetstream, ({ client }) => DirectGet.get(client, stream, query));
    const withBody = (found) => Effect.flatMap(jetstream, ({ js }) => NatsDeadLetterBodies.loadBody(js, toDeadLetter(found)));
    const deadLetterNotFound = (deadLetterId) => new NotFound({ resource: "dead letter", id: deadLetterId });
    return {
        list: Effect.fnUntraced(function* (filter) {
            const service = filter.service ?? "*";
            const wanted = filter.type === undefined ? `${prefixes.dead}${service}.>` : subject(deadLetter(service, filter.type));
            const found = [];
            let after = parseSequence(filter.after ?? "");
            while (found.length < filter.limit) {
                const message = yield* find({ seq: after + 1, next_by_subj: wanted });
                if (message === undefined)
                    break;
                found.push(yield* withBody(message));
                after = message.sequence;
            }
            return found;
        }),
        get: Effect.fnUntraced(function* (deadLetterId) {
            const seq = parseSequence(deadLetterId);
            const message = seq === 0 ? undefined : yield* find({ seq });
            return message === undefined ? yield* deadLetterNotFound(deadLetterId) : yield* withBody(message);
        }),
        remove: Effect.fnUntraced(function* (deadLetterId) {
            const { js, manager } = yield* jetstream;
            const seq = parseSequence(deadLetterId);
            const message = seq === 0 ? undefined : yield* find({ seq });
            if (message === undefined)
                return yield* deadLetterNotFound(deadLetterId);
            const removed = seq !== 0 &&
                (yield* Effect.tryPromise({
                    try: () => manager.streams.deleteMessage(stream, seq, false),
                    catch: (cause) => cause,
                }).pipe(Effect.catchIf(isNotFound, () => Effect.succeed(false)), Effect.mapError(errorFrom(resource))));
            if (!removed)
                return yield* deadLetterNotFound(deadLetterId);
            yield* NatsDeadLetterBodies.remove(js, toDeadLetter(message));
        }),
    };
};
const toDeadLetter = ({ sequence: seq, stored }) => ({
    ...stored,
    deadLetterId: String(seq),
});
/** An id that is not a number becomes 0, which no dead letter has. */
const parseSequence = (deadLetterId) => (/^\d{1,15}$/.test(deadLetterId) ? Number(deadLetterId) : 0);
