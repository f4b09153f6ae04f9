/**
 * `armoricore publish`: validates an envelope, or with `--type` a payload, and publishes it. Prints the event's id once
 * the bus has acknowledged it, and with `--wait` the event with its result.
 */
import { event as eventAddress } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { notificationIdOf } from "@armoricore/domain/events/notification";
import * as EventCodec from "@armoricore/domain/EventCodec";
import * as Signature from "@armoricore/domain/Signature";
import { authorize } from "@armoricore/worker/PublishPolicy";
import { Clock, Console, Deferred, Duration, Effect, FileSystem, Option, Result, Stdio, Stream } from "effect";
import { Argument, Command, Flag } from "effect/cli";
import { CommandFailed } from "../app/CommandErrors.ts";
import { Settings } from "../settings/Settings.ts";
import { workerSettings, eventSources } from "../app/Services.ts";
import { parseDuration } from "../settings/Setting.ts";
import { withShownDefault } from "./output.ts";
import { withAdapters } from "./support.ts";
import { withSettings } from "./with-settings.ts";
const type = Flag.String("type").pipe(Flag.withDescription("treat the file as a payload of this type and wrap it in an envelope"), Flag.withMetavar("T"), Flag.optional);
const file = Argument.String("file").pipe(Argument.withDescription("a JSON file, or - for standard input"));
const wait = Flag.Boolean("wait").pipe(Flag.withDescription("wait for the result of the event and print it; a failure exits with 1"), Flag.withDefault(false));
const timeout = Flag.String("timeout").pipe(Flag.withMetavar("DURATION"), withShownDefault("how long --wait waits", "10min"), Flag.filterMap((text) => Result.getSuccess(parseDuration(text)), () => "a duration, such as 30 s, 10 min or 1 h"));
const read = Effect.fnUntraced(function* (path) {
    const fs = yield* FileSystem.FileSystem;
    const stdio = yield* Stdio.Stdio;
    const bytes = path === "-" ? Stream.mkUint8Array(stdio.stdin) : fs.readFile(path);
    return yield* Effect.mapError(bytes, () => new CommandFailed({ message: `cannot read ${path === "-" ? "standard input" : path}` }));
});
/** Uses the first source of EVENT_SOURCES that may publish the type. */
const wrapPayload = Effect.fnUntraced(function* (eventType, payload) {
    const sources = eventSources(yield* Settings);
    const source = [...sources].find(([, types]) => types.has(eventType))?.[0];
    if (source === undefined) {
        return yield* new CommandFailed({
            message: `no source of EVENT_SOURCES may publish ${eventType}; ${describeAllowedTypes(sources)}`,
        });
    }
    return {
        event_type: eventType,
        event_id: crypto.randomUUID(),
        timestamp: new Date(yield* Clock.currentTimeMillis).toISOString(),
        source,
        payload,
    };
});
const describeAllowedTypes = (sources) => {
    const types = [...sources.values()].flatMap((set) => [...set]);
    return types.length === 0 ? "it allows no type" : `it allows ${types.join(", ")}`;
};
/** The events that end the work of a request, and the field that both have in common. */
const results = {
    "media.uploaded": ["media_id", ["media.ready", "media.failed"]],
    "media.delete_requested": ["media_id", ["media.deleted"]],
    "user.erase_requested": ["user_id", ["user.erased"]],
    "transcription.requested": ["media_id", ["transcription.complete", "transcription.failed"]],
    "notification.requested": ["notification_id", ["notification.sent", "notification.failed"]],
};
const fieldOf = (payload, name) => Reflect.get(payload, name);
/**
 * Subscribes to the results of an event that is not published yet. The inner effect waits, prints the result, and fails
 * if the result is a failure.
 */
const resultOf = Effect.fnUntraced(function* (requested) {
    const bus = yield* EventBus;
    const [field, ends] = results[requested.event_type] ?? ["", []];
    if (ends.length === 0) {
        return yield* new CommandFailed({
            message: `${requested.event_type} has no result; --wait is for ${Object.keys(results).join(", ")}`,
        });
    }
    const id = requested.event_type === "notification.requested" ? notificationIdOf(requested) : fieldOf(requested.payload, field);
    const received = yield* Deferred.make();
    for (const type of ends) {
        yield* bus.subscribe(eventAddress(type), ({ body }) => {
            const decoded = EventCodec.decodeResult(body);
            if (Result.isFailure(decoded) || fieldOf(decoded.success.event.payload, field) !== id)
                return;
            Deferred.doneUnsafe(received, Effect.succeed(decoded.success.event));
        });
    }
    return Effect.fnUntraced(function* (limit) {
        const result = yield* Deferred.await(received).pipe(Effect.timeoutOrElse({
            duration: limit,
            orElse: () => new CommandFailed({
                message: `no ${ends.join(" or ")} within ${Duration.format(limit)}; the event may still be in work, or a dead letter (armoricore dead-letters list)`,
            }),
        }));
        yield* Console.log(JSON.stringify(result));
        if (!result.event_type.endsWith(".failed"))
            return;
        const error = fieldOf(result.payload, "error");
        const why = typeof error === "object" && error !== null ? fieldOf(error, "message") : undefined;
        return yield* new CommandFailed({ message: `${result.event_type}: ${String(why ?? "no reason given")}` });
    });
});
const encoder = new TextEncoder();
export const publish = Command.make("publish", { type, file, wait, timeout }, Effect.fn("publish")(function* ({ file: path, timeout: limit, type: eventType, wait: isWaiting }) {
    const raw = yield* read(path);
    const body = Option.isNone(eventType)
        ? raw
        : encoder.encode(JSON.stringify(yield* wrapPayload(eventType.value, yield* EventCodec.parseJson(raw))));
    const { event } = yield* EventCodec.decode(body).pipe(Effect.mapError(({ message, path: field }) => new CommandFailed({ message: `${field === "" ? path : field}: ${message}` })));
    const now = yield* Clock.currentTimeMillis;
    const firstKey = [...((yield* Settings).EVENT_SIGNING_KEYS ?? [])][0];
    const headers = firstKey === undefined
        ? {}
        : { [Signature.signatureHeader]: Signature.sign(firstKey[0], firstKey[1], Math.floor(now / 1000), body) };
    const address = eventAddress(event.event_type);
    // The same check as in the workers, which would dead-letter the event.
    yield* authorize(event, { subject: "", id: event.event_id, headers, body, arrivedAt: now }).pipe(Effect.mapError(({ message }) => new CommandFailed({ message })));
    const bus = yield* EventBus;
    // Subscribed before the event is published, so that the result cannot be missed.
    const awaitResult = isWaiting ? yield* resultOf(event) : undefined;
    const { duplicate } = yield* bus.publish({ address, id: event.event_id, body, headers });
    if (duplicate)
        yield* Console.error("duplicate: the bus already has this event");
    yield* Console.log(event.event_id);
    if (awaitResult === undefined)
        return;
    if (duplicate) {
        return yield* new CommandFailed({ message: "the event is a duplicate, so its result may be published already" });
    }
    yield* awaitResult(limit);
}, Effect.scoped, Effect.provide(workerSettings), withAdapters, withSettings));
