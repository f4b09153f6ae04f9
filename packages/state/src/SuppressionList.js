/**
 * The suppression list of e-mail: addresses that bounced or complained, readers who unsubscribed from a category, and
 * addresses that an operator added. Each entry has its reason, its dates and its evidence.
 *
 * The list stores the SHA-256 of the address in lower case with its domain in ASCII, so it contains no addresses. An address is found by its hash.
 */
import { PermanentError } from "@armoricore/domain/Errors";
import { Clock, Context, Effect, Layer, Option, Stream } from "effect";
import { reasons } from "@armoricore/domain/Suppression";
import { hash } from "node:crypto";
import { domainToASCII } from "node:url";
import * as Collection from "./Collection.ts";
import { suppressions } from "./NotificationStates.ts";
export { Entry, Reason, reasons } from "@armoricore/domain/Suppression";
export class SuppressionList extends Context.Service()("@armoricore/state/SuppressionList") {
    static layer = Layer.effect(SuppressionList, Effect.suspend(() => make));
}
/** One spelling of an address: lower case, and the domain in its ASCII form. */
export const canonicalAddress = (address) => {
    const text = address.trim().toLowerCase();
    if (/^[\x20-\x7e]*$/.test(text))
        return text;
    const at = text.lastIndexOf("@");
    const domain = domainToASCII(text.slice(at + 1));
    return domain === "" ? text : `${text.slice(0, at)}@${domain}`;
};
export const hashOfAddress = (address) => hash("sha256", canonicalAddress(address));
const maxEvidenceLength = 500;
const pageSize = 500;
const prefix = "email.";
const make = Effect.gen(function* () {
    const documents = yield* Collection.make(suppressions);
    const add = Effect.fn("SuppressionList.add")(function* (subject, addition) {
        const { category, hash } = yield* resolve(subject);
        const now = yield* Clock.currentTimeMillis;
        const value = yield* documents.modifyOrRetry(keyOf(hash, category), (found) => Effect.sync(() => {
            const before = Option.getOrUndefined(found)?.value;
            const next = before === undefined ? { ...valueOf(addition), since: now } : merged(before, addition, now);
            return [next, Option.some(next)];
        }));
        return entryOf(keyOf(hash, category), value);
    });
    const list = Effect.fn("SuppressionList.list")(function* ({ after, limit, reason, ...subject }) {
        if (after !== undefined && !cursorPattern.test(after)) {
            return yield* new PermanentError({
                code: "invalid_cursor",
                message: "after is not a cursor; use the field next of the previous page",
            });
        }
        const isOne = subject.address !== undefined || subject.hash !== undefined;
        const listed = isOne ? keyOf((yield* resolve(subject)).hash) : prefix;
        const entries = [];
        let cursor = after === undefined ? undefined : `${prefix}${after}`;
        while (true) {
            const page = yield* documents.list({
                prefix: listed,
                limit: pageSize,
                ...(cursor === undefined ? {} : { after: cursor }),
            });
            for (const { key, value } of page) {
                if (reason !== undefined && value.reason !== reason)
                    continue;
                // One more entry fits no page, so there is a next one.
                if (entries.length === limit)
                    return { entries, next: cursorOf(entries.at(-1)) };
                entries.push(entryOf(key, value));
            }
            if (page.length < pageSize)
                return { entries };
            cursor = page.at(-1)?.key;
        }
    });
    return SuppressionList.of({
        list,
        get: (hash, category) => Effect.map(documents.get(keyOf(hash, category)), Option.map(({ key, value }) => entryOf(key, value))),
        add,
        remove: Effect.fn("SuppressionList.remove")(function* (subject) {
            const { category, hash } = yield* resolve(subject);
            const key = keyOf(hash, category);
            const found = yield* documents.get(key);
            yield* Collection.retryConflicts(documents.remove(key));
            return Option.isSome(found);
        }),
    });
});
/**
 * For the erasure of a user: removes what the entries of an address quote, which is the reply or report and the delivery. The
 * address stays suppressed. Returns the number of changed entries.
 */
export const makeForgetEvidence = Effect.map(Collection.make(suppressions), (documents) => Effect.fn("SuppressionList.forgetEvidence")(function* (address) {
    const entries = yield* documents.list({ prefix: keyOf(hashOfAddress(address)), limit: pageSize });
    const quoting = entries.filter(({ value }) => value.evidence !== undefined || value.delivery_id !== undefined);
    for (const { key } of quoting) {
        yield* documents.modifyOrRetry(key, (found) => Effect.succeed([undefined, Option.map(found, ({ value }) => withoutEvidence(value))]));
    }
    return quoting.length;
}));
const resolve = ({ address, category, hash }) => {
    if (category !== undefined && !/^[a-z0-9_-]{1,64}$/.test(category)) {
        return Effect.fail(new PermanentError({
            code: "invalid_category",
            message: `the category ${JSON.stringify(category)} must have 1 to 64 characters of a-z, 0-9, _ and -`,
        }));
    }
    if (hash !== undefined && address === undefined) {
        return /^[0-9a-f]{64}$/.test(hash)
            ? Effect.succeed({ hash, category })
            : invalid("hash must be the SHA-256 of the address in lower case, 64 hex digits");
    }
    if (address === undefined || hash !== undefined)
        return invalid("set either address or hash");
    const isAddress = /^[^\s@]+@[^\s@]+$/.test(address.trim());
    return isAddress
        ? Effect.succeed({ hash: hashOfAddress(address), category })
        : invalid(`${JSON.stringify(address)} is not an e-mail address; use the form name@example.com`);
};
const invalid = (message) => Effect.fail(new PermanentError({ code: "invalid_address", message }));
const weightOf = (reason) => reasons.findIndex((known) => known === reason);
const valueOf = ({ delivery_id, evidence, reason, source }) => ({
    reason,
    ...(source === undefined ? {} : { source }),
    ...(evidence === undefined || evidence === "" ? {} : { evidence: evidence.slice(0, maxEvidenceLength) }),
    ...(delivery_id === undefined ? {} : { delivery_id }),
});
const withoutEvidence = (value) => {
    const { delivery_id: _, evidence: __, ...rest } = value;
    return rest;
};
const merged = (before, addition, now) => weightOf(addition.reason) < weightOf(before.reason)
    ? { ...before, last_at: now }
    : { ...valueOf(addition), since: before.since, last_at: now };
const keyOf = (hash, category) => category === undefined ? `${prefix}${hash}` : `${prefix}${hash}.${category}`;
/** Keys of other documents in the bucket have another prefix. */
const cursorPattern = /^[0-9a-f]{64}(\.[a-z0-9_-]{1,64})?$/;
const cursorOf = (entry) => entry === undefined ? "" : keyOf(entry.hash, entry.category).slice(prefix.length);
const entryOf = (key, value) => {
    const [hash = "", category] = key.slice(prefix.length).split(".");
    return { hash, ...(category === undefined ? {} : { category }), ...value };
};
/** One line of an export, without its line break. A spreadsheet must not read a cell as a formula. */
export const csvHeader = "hash,category,reason,since,last_at,source,delivery_id,evidence";
export const csvLineOf = ({ category, delivery_id, evidence, hash, last_at, reason, since, source }) => [hash, category, reason, timeOf(since), timeOf(last_at), source, delivery_id, evidence].map(cellOf).join(",");
/** The whole list as CSV, one line per element. It is read page by page, so it may have any length. */
export const exportCsv = (list) => Stream.concat(Stream.succeed(`${csvHeader}\r\n`), Stream.paginate(Option.none(), (after) => Effect.map(list.list({ limit: pageSize, after: Option.getOrUndefined(after) }), ({ entries, next }) => [
    entries.map((entry) => `${csvLineOf(entry)}\r\n`),
    next === undefined ? Option.none() : Option.some(Option.some(next)),
])));
const timeOf = (millis) => (millis === undefined ? "" : new Date(millis).toISOString());
const cellOf = (text = "") => {
    const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
};
