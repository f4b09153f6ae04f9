/** The operator's actions on dead letters: list, get, replay (unchanged or edited) and discard. */
import { event, prefixes, work } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { NotFound, InvalidEvent, } from "@armoricore/domain/Errors";
import { deriveId, sha256 } from "@armoricore/domain/DeterministicId";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { signatureHeader } from "@armoricore/domain/Signature";
import { Context, Effect, Layer, Option } from "effect";
import { Ledger } from "../ledger/Ledger.ts";
import * as WorkSchemas from "../WorkSchemas.ts";
import { recordOf, deadLetterHeader, replayForHeader, replayOfHeader, } from "./DeadLetterRecord.ts";
export class DeadLetters extends Context.Service()("@armoricore/worker/DeadLetters") {
    static layer = Layer.effect(DeadLetters, Effect.gen(function* () {
        const bus = yield* EventBus;
        const ledger = yield* Ledger;
        const workSchemas = yield* WorkSchemas.WorkSchemas;
        const read = (stored) => Effect.map(recordOf(stored), Option.map((record) => ({ id: stored.deadLetterId, record, body: stored.body })));
        const get = Effect.fnUntraced(function* (id) {
            const stored = yield* bus.deadLetters.get(id);
            const deadLetter = yield* read(stored);
            return Option.isNone(deadLetter)
                ? yield* new NotFound({ resource: "dead letter", id })
                : { deadLetter: deadLetter.value, stored };
        });
        return DeadLetters.of({
            list: Effect.fn("DeadLetters.list")(function* ({ reason, limit, ...filter }) {
                const matching = [];
                let after = filter.after;
                // The bus cannot filter by reason, so pages are read until enough dead letters match.
                while (matching.length < limit) {
                    const stored = yield* bus.deadLetters.list({
                        ...filter,
                        ...(after === undefined ? {} : { after }),
                        limit: pageSize,
                    });
                    const records = yield* Effect.forEach(stored, read);
                    matching.push(...records
                        .flatMap(Option.toArray)
                        .filter((deadLetter) => reason === undefined || deadLetter.record.reason === reason));
                    after = stored.at(-1)?.deadLetterId;
                    if (stored.length < pageSize)
                        break;
                }
                return matching.slice(0, limit);
            }),
            get: Effect.fn("DeadLetters.get")(function* (id) {
                return (yield* get(id)).deadLetter;
            }),
            replay: Effect.fn("DeadLetters.replay")(function* (id, edited) {
                const { deadLetter, stored } = yield* get(id);
                const { record } = deadLetter;
                const address = yield* addressOf(workSchemas, record, edited);
                const body = edited ?? deadLetter.body;
                // The ledger key of work is its message id, that of an event its event id.
                const key = address.channel === "work" ? record.message_id : record.event_id;
                // Work has one consumer; an edited or never handled event is for all consumers of its type.
                const isForAll = address.channel === "event" && (edited !== undefined || record.shared === true);
                if (key !== undefined && record.shared !== true)
                    yield* ledger.remove(`${record.consumer}.${key}`);
                // A shared fault was never handled, so a ledger record with its id belongs to another message, or to an earlier
                // replay with another body.
                if (key !== undefined && record.shared === true)
                    yield* ledger.removeDeadLettered(`${record.consumer}.${key}`);
                // The bus would drop the original id as a duplicate, and that of an earlier replay with another body.
                const replayed = {
                    id: deriveId("replay", key ?? record.message_id, id, edited === undefined ? "" : sha256(Buffer.from(edited).toString("latin1"))),
                    body,
                };
                yield* ledger.replays.record(replayed, {
                    ...(isForAll ? {} : { consumer: record.consumer }),
                    ...(edited === undefined ? {} : { original: id }),
                });
                yield* bus.publish({
                    ...replayed,
                    address,
                    headers: {
                        ...withoutHeaders(stored.headers, [deadLetterHeader, replayOfHeader, replayForHeader, signatureHeader]),
                        [replayOfHeader]: id,
                        ...(isForAll ? {} : { [replayForHeader]: record.consumer }),
                    },
                });
                // The edited body may fail too; the original then is still there.
                if (edited === undefined)
                    yield* bus.deadLetters.remove(id);
            }),
            discard: Effect.fn("DeadLetters.discard")(function* (id) {
                yield* bus.deadLetters.remove(id);
            }),
        });
    }));
}
/** Dead letters per page. */
const pageSize = 100;
/** Names are compared case-insensitively, because buses and proxies change the case. */
const withoutHeaders = (headers, dropped) => {
    const names = new Set(dropped.map((name) => name.toLowerCase()));
    return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.has(name.toLowerCase())));
};
/** The original address; an edited event goes to the subject of its new type. */
const addressOf = Effect.fnUntraced(function* (schemas, record, edited) {
    if (record.subject.startsWith(prefixes.work)) {
        const [service = "", ...rest] = record.subject.slice(prefixes.work.length).split(".");
        const kind = rest.join(".");
        if (edited !== undefined)
            yield* validateWork(schemas, record, service, kind, edited);
        return work(service, kind);
    }
    if (edited === undefined)
        return event(record.subject.slice(prefixes.event.length));
    const { event: editedEvent } = yield* EventCodec.decode(edited);
    return event(editedEvent.event_type);
});
const validateWork = Effect.fnUntraced(function* (schemas, record, service, kind, edited) {
    yield* Effect.mapError(WorkSchemas.decode(edited, schemas.get(WorkSchemas.keyOf(service, kind))), ({ message, path, reason }) => new InvalidEvent({
        reason,
        path,
        message: `${message}; this dead letter is internal work${record.event_id === undefined ? "" : ` of the event ${record.event_id}`}: to change what the event asks for, publish the event again, edited and with a new event_id`,
    }));
});
