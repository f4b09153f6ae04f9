/**
 * The streams and durable consumers, and how existing ones are reconciled with the expected settings: missing ones are
 * created, changeable settings are updated, and an incompatible one is a ConfigurationError. Uses only features of NATS
 * 2.9.
 */
import { ConfigurationError } from "@armoricore/domain/Errors";
import * as StoreVersion from "@armoricore/domain/StoreVersion";
import { Duration, Effect, Schedule } from "effect";
import { AckPolicy, DeliverPolicy, DiscardPolicy, ReplayPolicy, RetentionPolicy, StorageType, nanos, } from "nats";
import { prefixes } from "../Address.ts";
import * as ConsumerLoop from "../ConsumerLoop.ts";
import * as Limits from "../Limits.ts";
import { allEvents, pattern } from "../Subjects.ts";
import * as MaxDeliverAdvisories from "./MaxDeliverAdvisories.ts";
import { natsRequest } from "@armoricore/nats/NatsErrors";
import { missing, addConsumer, addStream, diff, get, immutable, reportDrift, } from "@armoricore/nats/NatsResource";
export const streamNames = { event: "ARMORICORE", work: "ARMORICORE_WORK", dead: "ARMORICORE_DEAD" };
/** The version of the layout of subjects and headers in these streams; see `StoreVersion` in domain. */
const schemaVersion = 1;
const streamSettings = (options) => {
    const maxBytes = options.maxBytes ?? Limits.defaults.maxBytes;
    const common = {
        storage: StorageType.File,
        // A full stream rejects new messages, so that the publisher learns of it; stored messages are never deleted for new
        // ones.
        discard: DiscardPolicy.New,
        duplicate_window: nanos(Duration.toMillis(Limits.defaults.duplicateWindow)),
        num_replicas: options.replicas ?? 1,
        allow_direct: true,
    };
    const quarter = Math.ceil(maxBytes / 4);
    return [
        {
            ...common,
            name: streamNames.event,
            subjects: [allEvents],
            retention: RetentionPolicy.Limits,
            max_age: nanos(Duration.toMillis(Limits.defaults.eventAge)),
            max_bytes: maxBytes,
        },
        {
            ...common,
            name: streamNames.work,
            subjects: [`${prefixes.work}>`],
            retention: RetentionPolicy.Workqueue,
            max_age: 0,
            max_bytes: quarter,
        },
        {
            ...common,
            name: streamNames.dead,
            subjects: [`${prefixes.dead}>`],
            // A work-queue stream could not be browsed.
            retention: RetentionPolicy.Limits,
            max_age: 0,
            max_bytes: quarter,
            // A worker that crashed between the dead letter and the ack may come back late.
            duplicate_window: nanos(Duration.toMillis(Duration.hours(24))),
        },
        { ...common, ...MaxDeliverAdvisories.streamConfig([streamNames.event, streamNames.work]) },
    ];
};
/** Creates or checks every stream; returns one line each. */
export const ensureStreams = (manager, options) => Effect.forEach(streamSettings(options), (wanted) => Effect.tap(ensureStream(manager, wanted, options.manage ?? "apply"), () => checkReplicas(manager, wanted)));
/**
 * A server without a cluster accepts a larger number of replicas for an existing stream and stores one copy: the copies
 * that the server reports decide. A cluster may need a moment to choose the servers.
 */
const checkReplicas = ({ streams }, { name, num_replicas }) => num_replicas === 1
    ? Effect.void
    : Effect.flatMap(natsRequest(`stream ${name}`, () => streams.info(name)), ({ cluster }) => {
        const copies = 1 + (cluster?.replicas?.length ?? 0);
        return copies >= num_replicas ? Effect.void : Effect.fail(tooFewReplicas(name, copies, num_replicas));
    }).pipe(Effect.retry({ times: 6, schedule: Schedule.spaced("500 millis") }));
const tooFewReplicas = (name, copies, wanted) => new ConfigurationError({
    setting: "NATS_REPLICAS",
    message: `NATS stores ${copies} ${copies === 1 ? "copy" : "copies"} of the stream ${name}, not ${wanted}: a server without a cluster accepts NATS_REPLICAS and stores one copy; run a cluster of at least ${wanted} servers, or lower NATS_REPLICAS`,
});
const ensureStream = Effect.fnUntraced(function* (manager, settings, manage) {
    const resource = `stream ${settings.name}`;
    const existing = yield* get(resource, () => manager.streams.info(settings.name));
    const words = existing?.config.description;
    const found = existing === undefined ? schemaVersion : StoreVersion.versionOf(words);
    const newer = StoreVersion.newerVersionError(`${resource} on NATS`, found, schemaVersion);
    if (newer !== undefined)
        return yield* newer;
    const wanted = { ...settings, description: StoreVersion.withVersion(words, schemaVersion) };
    if (existing === undefined) {
        if (manage === "verify")
            return yield* missing(resource);
        const isOurs = yield* addStream(resource, manager, wanted);
        return isOurs ? `${resource}: created` : yield* ensureStream(manager, settings, manage);
    }
    const { config, state } = existing;
    for (const field of ["retention", "storage"]) {
        if (config[field] !== wanted[field])
            return yield* immutable(resource, field, config[field], wanted[field]);
    }
    // A version number that is merely not written yet is no reason to warn.
    const changed = diff(config, manage === "verify" && found === schemaVersion ? settings : wanted);
    if (changed.length === 0)
        return `${resource}: ready`;
    if (manage === "verify")
        return yield* reportDrift(resource, changed);
    // Messages that arrive during the check must fit too.
    if (wanted.discard === DiscardPolicy.New &&
        (config.max_bytes < 0 || wanted.max_bytes < config.max_bytes) &&
        state.bytes > wanted.max_bytes / 2) {
        return yield* maxBytesTooSmall(resource, state.bytes, wanted.max_bytes);
    }
    yield* natsRequest(resource, () => manager.streams.update(wanted.name, { ...config, ...wanted }));
    return `${resource}: updated ${changed.join(", ")}`;
});
const consumerConfig = (options) => ({
    durable_name: options.name,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    replay_policy: ReplayPolicy.Instant,
    filter_subject: pattern(options.from),
    ack_wait: nanos(Duration.toMillis(options.ackWait ?? ConsumerLoop.defaults.ackWait)),
    max_deliver: ConsumerLoop.brokerMaxDeliver(options),
    // Delayed messages count as pending acks: a low limit would stop the consumer.
    max_ack_pending: 100_000,
});
export const streamOf = (from) => from === "all-events" ? streamNames.event : streamNames[from.channel];
/** The stream that stores this subject. */
export const streamOfSubject = (subject) => ["event", "work", "dead"]
    .filter((channel) => subject.startsWith(prefixes[channel]))
    .map((channel) => streamNames[channel])[0];
/**
 * Creates or checks a durable consumer. `settings: "keep"` leaves the times of an existing consumer unchanged, because
 * `setup` does not know them; `"verify"` creates and changes nothing.
 */
export const ensureConsumer = Effect.fnUntraced(function* (manager, options, settings) {
    yield* ConsumerLoop.checkName(options);
    const stream = streamOf(options.from);
    const resource = `consumer ${options.name}`;
    const wanted = consumerConfig(options);
    const found = yield* get(resource, () => manager.consumers.info(stream, options.name));
    if (found === undefined && settings === "verify")
        return yield* missing(resource);
    const existing = found ?? (yield* addConsumer(resource, manager, stream, wanted));
    if (existing === undefined)
        return `${resource} on ${wanted.filter_subject}: created`;
    const config = existing.config;
    if (config.filter_subject !== wanted.filter_subject) {
        return yield* new ConfigurationError({
            setting: resource,
            message: `Consumer ${options.name} reads ${config.filter_subject}; choose another name for ${wanted.filter_subject}`,
        });
    }
    for (const field of ["ack_policy", "deliver_policy"]) {
        if (config[field] !== wanted[field])
            return yield* immutable(resource, field, config[field], wanted[field]);
    }
    const changed = settings === "keep" ? [] : diff(config, wanted);
    if (changed.length === 0)
        return `${resource} on ${wanted.filter_subject}: ready`;
    if (settings === "verify")
        return yield* reportDrift(resource, changed);
    yield* natsRequest(resource, () => manager.consumers.update(stream, options.name, { ...config, ...wanted }));
    return `${resource} on ${wanted.filter_subject}: updated ${changed.join(", ")}`;
});
/** NATS deletes messages at once when a limit falls below the stored size, handled or not. */
const maxBytesTooSmall = (resource, bytes, limit) => new ConfigurationError({
    setting: "NATS_EVENTS_MAX_BYTES",
    message: `The ${resource} holds ${bytes} bytes: with a limit of ${limit} NATS could delete its oldest messages, handled or not; lower NATS_EVENTS_MAX_BYTES less, or wait until it holds no more than half of the new limit`,
});
