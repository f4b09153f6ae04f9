/**
 * The audit log: who did what, when, and with which outcome. An action is recorded before it runs and completed
 * afterwards, so an action interrupted by a crash is visible. Each entry is also a log line, which is the only record
 * while the state is unavailable.
 *
 * Denied attempts are recorded too, up to a limit per user and minute and an overall limit; further ones are counted.
 */
import * as Collection from "@armoricore/state/Collection";
import { Clock, Context, Duration, Effect, Layer, Schema } from "effect";
import { AuditEntry } from "./api/AuditEntry.ts";
export class Audit extends Context.Service()("@armoricore/operator/Audit") {
    static layer = Layer.effect(Audit, Effect.suspend(() => make));
}
export const auditEntries = {
    bucket: { name: "audit", maxAge: Duration.days(180) },
    schema: AuditEntry,
};
/** Maximum recorded denials per minute and user. */
const maxDeniedPerUserPerMinute = 20;
/** Maximum recorded denials per minute for all users together. */
const maxDeniedPerMinute = 200;
/** Maximum users whose denials are tracked. */
const maxTrackedUsers = 1_000;
const pageSize = 500;
const maxTextLength = 2_000;
const make = Effect.gen(function* () {
    const entries = yield* Collection.make(auditEntries);
    let count = 0;
    const deniedByUser = new Map();
    let totalDenied = { since: 0, written: 0, suppressed: 0 };
    const write = (entry) => entries.put(entry.id, entry).pipe(
    // The log line exists all the same.
    Effect.catch((error) => Effect.logError(`the audit log cannot be written: ${error.message}`, { entry })), Effect.asVoid);
    const newEntry = Effect.fnUntraced(function* (asked, outcome) {
        const now = yield* Clock.currentTimeMillis;
        const entry = {
            ...asked,
            payload: truncateTexts(asked.payload),
            id: entryKey(now, count++),
            at: new Date(now).toISOString(),
            outcome,
        };
        return entry;
    });
    /** The number of unrecorded denials before this one; undefined: this one is not recorded either. */
    const countDenied = (user, now) => {
        if (now - totalDenied.since > 60_000)
            totalDenied = { ...totalDenied, since: now, written: 0 };
        const window = deniedByUser.get(user);
        if (totalDenied.written >= maxDeniedPerMinute) {
            if (window === undefined)
                totalDenied.suppressed++;
            else
                window.suppressed++;
            return undefined;
        }
        if (window === undefined || now - window.since > 60_000) {
            const suppressed = (window?.suppressed ?? 0) + totalDenied.suppressed;
            totalDenied = { ...totalDenied, written: totalDenied.written + 1, suppressed: 0 };
            deniedByUser.delete(user);
            deniedByUser.set(user, { since: now, written: 1, suppressed: 0 });
            if (deniedByUser.size > maxTrackedUsers)
                for (const oldest of deniedByUser.keys())
                    if (deniedByUser.delete(oldest))
                        break;
            return suppressed;
        }
        if (window.written < maxDeniedPerUserPerMinute) {
            window.written++;
            totalDenied.written++;
            return 0;
        }
        window.suppressed++;
        return undefined;
    };
    return Audit.of({
        record: (asked, act) => Effect.gen(function* () {
            const started = yield* newEntry(asked, "started");
            yield* write(started);
            const logFields = { audit: started.id, action: asked.action, user_id: asked.user_id, payload: started.payload };
            return yield* act.pipe(Effect.tap(() => Effect.andThen(write({ ...started, outcome: "done" }), Effect.logInfo("operator action done", logFields))), Effect.tapError((error) => Effect.andThen(write({ ...started, outcome: "failed", detail: error.message }), Effect.logWarning(`operator action failed: ${error.message}`, logFields))));
        }),
        recordDenied: Effect.fnUntraced(function* (asked, detail) {
            const suppressed = countDenied(asked.user_id ?? "", yield* Clock.currentTimeMillis);
            if (suppressed === undefined)
                return;
            const entry = yield* newEntry(asked, "refused");
            yield* write({ ...entry, detail, ...(suppressed === 0 ? {} : { suppressed }) });
            yield* Effect.logWarning(`refused: ${detail}`, {
                audit: entry.id,
                action: asked.action,
                ...(asked.user_id === undefined ? {} : { user_id: asked.user_id }),
            });
        }),
        list: Effect.fnUntraced(function* ({ limit, ...filter }) {
            const found = [];
            let after = filter.after;
            while (found.length < limit) {
                const documents = yield* entries.list({ limit: pageSize, ...(after === undefined ? {} : { after }) });
                found.push(...documents.map(({ value }) => value).filter(matches(filter)));
                after = documents.at(-1)?.key;
                if (documents.length < pageSize)
                    break;
            }
            return found.slice(0, limit);
        }),
    });
});
/** Keys are listed in ascending order, so the newest entry has the smallest key. */
const maxTimestamp = 1e14;
const entryKey = (now, count) => [
    String(maxTimestamp - now).padStart(15, "0"),
    String(9_999 - (count % 10_000)).padStart(4, "0"),
    crypto.randomUUID().slice(0, 4),
].join("-");
const matches = ({ act, outcome, user_id }) => (entry) => (act === undefined || entry.action === act) &&
    (outcome === undefined || entry.outcome === outcome) &&
    (user_id === undefined || entry.user_id === user_id);
const truncateTexts = (value) => {
    if (typeof value === "string")
        return value.length <= maxTextLength ? value : `${value.slice(0, maxTextLength)}…`;
    if (Array.isArray(value))
        return value.map(truncateTexts);
    if (typeof value !== "object" || value === null)
        return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, truncateTexts(each)]));
};
