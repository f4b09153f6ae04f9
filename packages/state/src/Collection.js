/**
 * Typed documents over the key-value port: JSON validated by a Schema, one document per key. Change a document with
 * `modify`: read, decide, compare-and-set, and decide again if another process wrote in between.
 */
import { ConfigurationError, Conflict, TransientError } from "@armoricore/domain/Errors";
import { Effect, Option, Result, Schema } from "effect";
import { KeyValue } from "./KeyValue.ts";
const maxAttempts = 64;
export const make = (descriptor) => Effect.map(KeyValue, (state) => {
    const { bucket } = descriptor;
    const json = Schema.fromJsonString(descriptor.schema);
    const decodeJson = Schema.decodeUnknownEffect(json);
    const encodeJson = Schema.encodeEffect(json);
    const decode = (entry) => Effect.mapBoth(decodeJson(entry.value), {
        onFailure: (cause) => codecError(bucket, entry.key, "cannot be read", cause),
        onSuccess: (value) => ({ key: entry.key, value, revision: entry.revision }),
    });
    const encode = (key, value) => descriptor.skipEncode === true
        ? Effect.sync(() => JSON.stringify(value))
        : Effect.mapError(encodeJson(value), (cause) => codecError(bucket, key, "cannot be written", cause));
    const get = (key) => Effect.flatMap(state.get(bucket, key), Option.match({ onNone: () => Effect.succeedNone, onSome: (entry) => Effect.asSome(decode(entry)) }));
    const create = (key, value, options) => Effect.flatMap(encode(key, value), (text) => state.create(bucket, key, text, options));
    const update = (key, value, revision, options) => Effect.flatMap(encode(key, value), (text) => state.update(bucket, key, text, revision, options));
    const modify = (key, decide, options) => Effect.gen(function* () {
        for (let attemptsLeft = maxAttempts;; attemptsLeft--) {
            const current = yield* get(key);
            const [result, write] = yield* decide(current);
            if (Option.isNone(write))
                return result;
            const written = yield* Effect.result(Option.match(current, {
                onNone: () => create(key, write.value, options),
                onSome: ({ revision }) => update(key, write.value, revision, options),
            }));
            if (Result.isSuccess(written))
                return result;
            if (written.failure._tag !== "Conflict" || attemptsLeft <= 1)
                return yield* written.failure;
        }
    });
    return {
        bucket,
        get,
        put: (key, value, options) => Effect.flatMap(encode(key, value), (text) => state.put(bucket, key, text, options)),
        create,
        update,
        modify,
        modifyOrRetry: (key, decide, options) => retryConflicts(modify(key, decide, options)),
        remove: (key, revision) => state.remove(bucket, key, revision),
        list: (page) => Effect.flatMap(state.list(bucket, page), Effect.forEach((entry) => decode(entry))),
    };
});
/** The error of a handler that lost a write to another process; the next attempt reads the new value. */
export const writeConflict = (cause) => new TransientError({ dependency: "state", code: "write_conflict", message: cause.message, cause });
/** Turns a `Conflict` into the transient `write_conflict`. */
export const retryConflicts = (effect) => Effect.catchIf(effect, (error) => error instanceof Conflict, (conflict) => Effect.fail(writeConflict(conflict)));
const pageSize = 200;
/** Runs `use` for every document, page by page. `use` may remove it. */
export const forEach = Effect.fnUntraced(function* (collection, use) {
    let after;
    for (;;) {
        const page = yield* collection.list({
            limit: pageSize,
            ...(after === undefined ? {} : { after }),
        });
        yield* Effect.forEach(page, use, { discard: true });
        after = page.at(-1)?.key;
        if (page.length < pageSize)
            return;
    }
});
const codecError = (bucket, key, what, cause) => new ConfigurationError({
    setting: `state bucket ${bucket.name}`,
    message: `the document ${JSON.stringify(key)} of the state bucket ${bucket.name} ${what}: ${cause.message}`,
    cause,
});
