/**
 * The state in NATS KV: a bucket is the KV bucket `armoricore_<name>`, a revision is its stream's sequence. A bucket
 * has one TTL (per-key TTLs need NATS 2.11), so `maxAge` is the bucket's TTL and an entry's own expiry is stored in
 * front of its value. Reads go to the stream's leader, so every process sees the last write.
 */
import { ConfigurationError, Conflict, TransientError } from "@armoricore/domain/Errors";
import * as StoreVersion from "@armoricore/domain/StoreVersion";
import { NatsConnection } from "@armoricore/nats/NatsConnection";
import { isConcurrentCreate } from "@armoricore/nats/NatsErrors";
import * as NatsPublisher from "@armoricore/nats/NatsPublisher";
import { Clock, Duration, Effect, Layer, Option, Scope } from "effect";
import { nanos, StorageType } from "nats";
import { expiryOf, isExpired } from "../Expiry.ts";
import { check, checkBucket, compareKeys } from "../Key.ts";
import { KeyValue } from "../KeyValue.ts";
import { decode, encode } from "./NatsKey.ts";
import { isNoMessage, isStreamMissing, isNoResponders, missingBucket, tooLarge, toStateError, } from "./NatsStateErrors.ts";
import { RecentWrites } from "./RecentWrites.ts";
export const layer = (options = {}) => Layer.effect(KeyValue, Effect.gen(function* () {
    const connection = yield* NatsConnection;
    const scope = yield* Effect.scope;
    // One inbox for all acknowledgements; it ends with the layer.
    let readyPublisher;
    const openPublisher = yield* Effect.cached(Effect.flatMap(connection.connected, (client) => NatsPublisher.make(client, options.inboxPrefix)).pipe(Scope.provide(scope), Effect.tap((publisher) => Effect.sync(() => void (readyPublisher = publisher)))));
    const publisher = Effect.suspend(() => readyPublisher === undefined ? openPublisher : Effect.succeed(readyPublisher));
    const recentWrites = new RecentWrites();
    const request = (bucket, question) => Effect.flatMap(connection.jetstream, (nats) => Effect.tryPromise({ try: () => question(nats), catch: (cause) => cause }).pipe(Effect.catch((cause) => isNoResponders(cause) ? explainNoResponders(bucket, nats.manager, cause) : Effect.fail(cause))));
    const read = (bucket, key) => request(bucket, ({ manager }) => manager.streams.getMessage(streamOf(bucket), { last_by_subj: subjectOf(bucket, key) })).pipe(Effect.map((message) => Option.some({
        revision: message.seq,
        entry: message.header.get("KV-Operation") === "" ? decodeValue(message.string()) : undefined,
    })), Effect.catch((cause) => (isNoMessage(cause) ? Effect.succeedNone : Effect.fail(stateErrorOf(bucket, cause)))));
    /** `expected`: the sequence that must be the subject's last, 0 for none. `body` undefined: a removal. */
    const write = (bucket, key, body, expected) => Effect.flatMap(connection.jetstream, ({ manager }) => Effect.flatMap(publisher, ({ publish }) => publish(subjectOf(bucket, key), undefined, body === undefined ? emptyBody : encoder.encode(body), body === undefined
        ? { "KV-Operation": "DEL", ...expectedSequence(expected) }
        : expectedSequence(expected))).pipe(Effect.matchEffect({
        onSuccess: ({ sequence }) => Effect.succeed(sequence),
        onFailure: (error) => {
            switch (error._tag) {
                case "PermanentError":
                    return Effect.fail(tooLarge(bucket.name, error));
                case "TransientError":
                    return Effect.fail(error.code === "wrong_sequence" ? new Conflict({ key }) : asStateError(bucket, error));
                // No stream responds: the bucket does not exist, has no leader, or the user has no permission to
                // write it.
                case "ConfigurationError":
                    return NatsPublisher.isForbidden(error)
                        ? Effect.fail(error)
                        : Effect.mapError(explainNoResponders(bucket, manager, noLeader(bucket)), (cause) => stateErrorOf(bucket, cause));
            }
        },
    })));
    const put = (bucket, key, value, expected, writeOptions) => Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const expiresAt = expiryOf(bucket, writeOptions, now);
        return Effect.map(write(bucket, key, encodeValue(value, expiresAt), expected), (revision) => {
            recentWrites.record(bucket, revision, expiresAt);
            return revision;
        });
    });
    const onlyUnexpired = (stored) => Effect.map(Clock.currentTimeMillis, (now) => Option.filter(stored, ({ entry }) => entry !== undefined && !isExpired(entry.expiresAt, now)));
    /** An expired entry counts as missing although it is still stored. */
    const checkUnexpired = Effect.fnUntraced(function* (bucket, key, expected) {
        const stored = yield* read(bucket, key);
        const isExpected = Option.isSome(stored) && stored.value.revision === expected;
        if (isExpected && Option.isNone(yield* onlyUnexpired(stored)))
            return yield* new Conflict({ key });
    });
    const get = (bucket, key) => Effect.map(Effect.flatMap(read(bucket, key), onlyUnexpired), Option.map(({ revision, entry }) => ({ key, value: entry?.value ?? "", revision })));
    return {
        get: (bucket, key) => Effect.andThen(check(bucket, key), get(bucket, key)),
        put: (bucket, key, value, writeOptions) => Effect.andThen(check(bucket, key), 
        // Without an expected revision there can be no conflict.
        Effect.catchTag(put(bucket, key, value, undefined, writeOptions), "Conflict", (conflict) => Effect.fail(toStateError(bucket.name, conflict)))),
        create: (bucket, key, value, writeOptions) => Effect.andThen(check(bucket, key), 
        // Usually the key never existed, which one request finds out.
        Effect.catchTag(put(bucket, key, value, 0, writeOptions), "Conflict", (conflict) => Effect.gen(function* () {
            const stored = yield* read(bucket, key);
            if (Option.isNone(stored) || Option.isSome(yield* onlyUnexpired(stored)))
                return yield* conflict;
            return yield* put(bucket, key, value, stored.value.revision, writeOptions);
        }))),
        update: (bucket, key, value, expected, writeOptions) => Effect.andThen(check(bucket, key), Effect.suspend(() => {
            if (expected <= 0)
                return Effect.fail(new Conflict({ key }));
            // The writer of an entry usually updates it too and knows its expiry: one request instead of two.
            const own = recentWrites.expiryOf(bucket, expected);
            const writing = put(bucket, key, value, expected, writeOptions);
            if (own === undefined)
                return Effect.andThen(checkUnexpired(bucket, key, expected), writing);
            if (own.expiresAt === undefined)
                return writing;
            return Effect.flatMap(Clock.currentTimeMillis, (now) => isExpired(own.expiresAt, now) ? Effect.fail(new Conflict({ key })) : writing);
        })),
        remove: (bucket, key, expected) => Effect.gen(function* () {
            yield* check(bucket, key);
            const stored = yield* Effect.flatMap(read(bucket, key), onlyUnexpired);
            if (Option.isNone(stored))
                return;
            if (expected !== undefined && stored.value.revision > expected)
                return yield* new Conflict({ key });
            yield* Effect.catchTag(write(bucket, key, undefined, expected), "Conflict", (conflict) => 
            // Another process may have removed the same entry.
            Effect.flatMap(Effect.flatMap(read(bucket, key), onlyUnexpired), (now) => Option.isNone(now) ? Effect.void : Effect.fail(conflict)));
        }),
        list: (bucket, page) => Effect.gen(function* () {
            yield* checkBucket(bucket);
            const info = yield* request(bucket, ({ manager }) => manager.streams.info(streamOf(bucket), { subjects_filter: subjectOf(bucket, ">") })).pipe(Effect.mapError((cause) => stateErrorOf(bucket, cause)));
            const keys = Object.keys(info.state.subjects ?? {})
                .map((subject) => decode(subject.slice(subjectOf(bucket, "").length)))
                .filter((key) => key !== undefined)
                .filter((key) => page.prefix === undefined || key.startsWith(page.prefix))
                .filter((key) => page.after === undefined || compareKeys(key, page.after) > 0)
                .sort(compareKeys);
            return yield* firstPresent(keys, page.limit, (key) => get(bucket, key));
        }),
        setup: (buckets) => Effect.forEach(buckets, (bucket) => Effect.andThen(checkBucket(bucket), Effect.mapError(request(bucket, ({ js, manager }) => options.manage === "verify"
            ? verify(bucket, manager)
            : createOrCheck(bucket, js, manager, options.replicas ?? 1)), (cause) => stateErrorOf(bucket, cause)))),
    };
}));
const encoder = new TextEncoder();
const emptyBody = new Uint8Array();
const unconditional = {};
const expectedSequence = (sequence) => sequence === undefined ? unconditional : { "Nats-Expected-Last-Subject-Sequence": String(sequence) };
/** The version of the layout of keys and values in a bucket; see `StoreVersion` in domain. */
const schemaVersion = 1;
const bucketOf = (bucket) => `armoricore_${bucket.name}`;
const streamOf = (bucket) => `KV_${bucketOf(bucket)}`;
const subjectOf = (bucket, key) => `$KV.${bucketOf(bucket)}.${key === ">" || key === "" ? key : encode(key)}`;
const encodeValue = (value, expiresAt) => `${expiresAt ?? ""}\n${value}`;
const decodeValue = (body) => {
    const at = body.indexOf("\n");
    const end = body.slice(0, at);
    return { value: body.slice(at + 1), expiresAt: end === "" ? undefined : Number(end) };
};
/** The connection's own errors are mapped already. */
const stateErrorOf = (bucket, cause) => cause instanceof TransientError || cause instanceof ConfigurationError ? cause : toStateError(bucket.name, cause);
/** The publisher's errors name the bus; here they must name the state. */
const asStateError = (bucket, { code, message }) => new TransientError({
    dependency: "state",
    code,
    message: `the state bucket ${bucket.name} cannot be used: ${message}`,
});
const noLeader = (bucket) => asStateError(bucket, new TransientError({ dependency: "bus", code: "unavailable", message: "its stream has no leader" }));
/** No response: a request to the stream itself tells a missing bucket from a missing leader. */
const explainNoResponders = (bucket, manager, unanswered) => Effect.flatMap(Effect.result(Effect.tryPromise({ try: () => manager.streams.info(streamOf(bucket)), catch: (cause) => cause })), (info) => Effect.fail(info._tag === "Failure" && isStreamMissing(info.failure) ? missingBucket(bucket.name) : unanswered));
const rejectNewerSchema = (bucket, { description }) => {
    const newer = StoreVersion.newerVersionError(`state bucket ${bucket.name} on NATS`, StoreVersion.versionOf(description), schemaVersion);
    if (newer !== undefined)
        throw newer;
};
const verify = async (bucket, manager) => {
    rejectNewerSchema(bucket, (await manager.streams.info(streamOf(bucket))).config);
    return `state bucket ${bucket.name}: the NATS KV bucket ${bucketOf(bucket)}`;
};
const createOrCheck = async (bucket, js, manager, replicas) => {
    const ttl = bucket.maxAge === "never" ? 0 : Duration.toMillis(bucket.maxAge);
    const made = {
        history: 1,
        ttl,
        replicas,
        storage: StorageType.File,
        description: StoreVersion.withVersion("", schemaVersion),
    };
    // Another process may create it at the same time, with the same settings or, in another version, with different ones.
    const refused = await js.views.kv(bucketOf(bucket), made).then(() => undefined, (cause) => {
        if (isConcurrentCreate(cause))
            return cause;
        throw cause;
    });
    const { config } = await manager.streams.info(streamOf(bucket)).catch((cause) => {
        throw refused ?? cause;
    });
    rejectNewerSchema(bucket, config);
    const description = StoreVersion.withVersion(config.description, schemaVersion);
    const wanted = { max_age: nanos(ttl), num_replicas: replicas, description };
    const changed = [
        ...(config.max_age === wanted.max_age ? [] : ["changed its maximum age"]),
        ...(config.num_replicas === replicas ? [] : [`changed its replicas to ${replicas}`]),
        ...(config.description === description ? [] : [`wrote its schema version ${schemaVersion}`]),
    ];
    if (changed.length > 0)
        await manager.streams.update(streamOf(bucket), { ...config, ...wanted });
    return [`state bucket ${bucket.name}: the NATS KV bucket ${bucketOf(bucket)}`, ...changed].join(", ");
};
/** Removed and expired entries still have keys, so a page is filled in several batches. */
const firstPresent = (keys, limit, get) => Effect.gen(function* () {
    const found = [];
    for (let at = 0; at < keys.length && found.length < limit; at += 64) {
        const batch = yield* Effect.forEach(keys.slice(at, at + 64), get, { concurrency: 16 });
        for (const one of batch)
            if (Option.isSome(one))
                found.push(one.value);
    }
    return found.slice(0, limit);
});
