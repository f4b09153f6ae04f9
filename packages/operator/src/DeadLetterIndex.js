/**
 * The dead letters of the installation for the console: newest first, with totals, search and groups by cause.
 *
 * A bus lists dead letters oldest first and one at a time, so the fields that are shown and searched stay in memory.
 * They are read at the first query. Each query then reads the new dead letters and checks that the ones on its page
 * still exist; dead letters that other processes removed are noticed by a complete read in the background.
 */
import { sha256 } from "@armoricore/domain/DeterministicId";
import { DeadLetters } from "@armoricore/worker/dead-letters/DeadLetters";
import { traceIdOf } from "@armoricore/worker/TraceContext";
import { Clock, Context, Effect, Layer, Semaphore } from "effect";
export class DeadLetterIndex extends Context.Service()("@armoricore/operator/DeadLetterIndex") {
    static layer = Layer.effect(DeadLetterIndex, Effect.suspend(() => make));
}
const readSize = 500;
/** Older dead letters are left out; `more` says so. */
export const maxEntries = 20_000;
/** Only the start of a body is searched. */
const maxSearchedBody = 1_024;
/** A complete read takes place at most this often, and uses at most a tenth of the time. */
const minReadIntervalMillis = 30_000;
const maxCheckedLetters = 100;
const maxCauses = 200;
const make = Effect.gen(function* () {
    const deadLetters = yield* DeadLetters;
    const scope = yield* Effect.scope;
    const lock = Semaphore.makeUnsafe(1);
    /** Oldest first. */
    let entries = new Map();
    let lastId;
    let more = false;
    /** Removed by this process during a complete read. */
    let forgotten = new Set();
    let nextCompleteRead;
    const readAfter = Effect.fnUntraced(function* (into, start) {
        let after = start;
        let isTruncated = false;
        for (;;) {
            const page = yield* deadLetters.list({ limit: readSize, ...(after === undefined ? {} : { after }) });
            for (const letter of page)
                into.set(letter.id, toEntry(letter));
            for (const id of into.keys()) {
                if (into.size <= maxEntries)
                    break;
                into.delete(id);
                isTruncated = true;
            }
            after = page.at(-1)?.id ?? after;
            if (page.length < readSize)
                return { after, isTruncated };
        }
    });
    const readAll = Effect.gen(function* () {
        const startedAt = yield* Clock.currentTimeMillis;
        // Until the end of this read no other one starts.
        nextCompleteRead = Number.POSITIVE_INFINITY;
        forgotten = new Set();
        const found = new Map();
        const { after, isTruncated } = yield* readAfter(found, undefined).pipe(Effect.onError(() => Effect.sync(() => void (nextCompleteRead = startedAt + minReadIntervalMillis))));
        for (const id of forgotten)
            found.delete(id);
        const endedAt = yield* Clock.currentTimeMillis;
        entries = found;
        lastId = after;
        more = isTruncated;
        nextCompleteRead = endedAt + Math.max(minReadIntervalMillis, 9 * (endedAt - startedAt));
    });
    const refresh = Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis;
        if (nextCompleteRead === undefined)
            return yield* readAll;
        if (now >= nextCompleteRead) {
            const inBackground = readAll.pipe(Effect.catch((error) => Effect.logWarning(`dead letters cannot be read: ${error.message}`)));
            yield* Effect.forkIn(inBackground, scope);
        }
        const { after, isTruncated } = yield* readAfter(entries, lastId);
        lastId = after;
        more ||= isTruncated;
    }).pipe(
    // A failed first read leaves nothing behind.
    Effect.tapError(() => Effect.sync(() => void (lastId === undefined && (nextCompleteRead = undefined)))), lock.withPermits(1));
    const forget = (id) => {
        entries.delete(id);
        forgotten.add(id);
    };
    const exists = (id) => deadLetters.get(id).pipe(Effect.as(true), Effect.catchTag("NotFound", () => Effect.succeed(false)));
    /** The letters of the page that still exist. The others are forgotten. */
    const pageOf = Effect.fnUntraced(function* (selection, offset, limit) {
        for (;;) {
            const matching = [...entries.values()].filter(matcher(selection)).reverse();
            const letters = matching.slice(offset, offset + limit);
            if (letters.length > maxCheckedLetters)
                return { matching, letters };
            const removed = yield* Effect.filter(letters, ({ letter }) => Effect.map(exists(letter.id), (found) => !found), {
                concurrency: 16,
            });
            if (removed.length === 0)
                return { matching, letters };
            for (const { letter } of removed)
                forget(letter.id);
        }
    });
    return DeadLetterIndex.of({
        page: Effect.fn("DeadLetterIndex.page")(function* (selection, { limit, offset }) {
            yield* refresh;
            const { letters, matching } = yield* pageOf(selection, offset, limit);
            const { cause: _cause, ...withoutCause } = selection;
            const all = [...entries.values()];
            return {
                letters: letters.map(({ letter }) => letter),
                matching: matching.length,
                total: all.length,
                more,
                causes: causesOf(selection.cause === undefined ? matching : all.filter(matcher(withoutCause)).reverse()),
                services: distinct(all, ({ letter }) => letter.service),
                types: distinct(all, ({ letter }) => letter.event_type),
                reasons: distinct(all, ({ letter }) => letter.reason),
            };
        }),
        select: Effect.fn("DeadLetterIndex.select")(function* (selection) {
            yield* refresh;
            return [...entries.values()].filter(matcher(selection)).map(({ letter }) => letter.id);
        }),
        forget,
    });
});
/** The trace may stand in the envelope alone. */
const envelopeTraceparent = (body) => /"traceparent"\s*:\s*"([0-9a-f-]{55})"/.exec(body)?.[1];
/** A dead letter as shown to operators. */
export const toApi = ({ body, id, record }) => {
    const { message_id: _message, subject: _subject, traceparent, ...fields } = record;
    const trace = traceIdOf(traceparent ?? envelopeTraceparent(new TextDecoder().decode(body)));
    return { id, ...fields, cause: causeOf(record), ...(trace === undefined ? {} : { trace_id: trace }) };
};
const toEntry = (letter) => {
    const shown = toApi(letter);
    const start = new TextDecoder().decode(letter.body.subarray(0, maxSearchedBody));
    const { event_id = "", event_type, id, message, path, reason, service, trace_id = "" } = shown;
    return {
        letter: shown,
        text: [id, event_id, trace_id, event_type, service, reason, path, message, start].join("\n").toLowerCase(),
    };
};
/** Numbers, ids and quoted values differ between messages of one cause. */
const withoutValues = (text) => text
    .replaceAll(/"[^"]*"|'[^']*'/g, "…")
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b/gi, "…")
    .replaceAll(/\b(?=[\w-]*\d)[\w-]+\b/g, "…");
/** The same for dead letters with one fault: service, type, reason, field and message. */
const causeOf = (record) => sha256([record.service, record.event_type, record.reason, withoutValues(record.path), withoutValues(record.message)].join("\n")).slice(0, 16);
const matcher = ({ cause, query, reason, service, type }) => {
    const words = (query ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    return ({ letter, text }) => (service === undefined || letter.service === service) &&
        (type === undefined || letter.event_type === type) &&
        (reason === undefined || letter.reason === reason) &&
        (cause === undefined || letter.cause === cause) &&
        words.every((word) => text.includes(word));
};
const distinct = (entries, read) => [...new Set(entries.map(read))].sort();
/** Newest first in, most frequent first out. */
const causesOf = (newestFirst) => {
    const causes = new Map();
    for (const { letter } of newestFirst) {
        const known = causes.get(letter.cause);
        const { cause, event_type, first_at, last_at, message, path, reason, service } = letter;
        causes.set(cause, known === undefined
            ? { cause, service, event_type, reason, path, message, count: 1, first_at, last_at }
            : { ...known, count: known.count + 1, first_at: first_at < known.first_at ? first_at : known.first_at });
    }
    return [...causes.values()].sort((a, b) => b.count - a.count).slice(0, maxCauses);
};
