/** `armoricore doctor`: checks each dependency and prints one line for it, with the fix if the check fails. */
import { EventBus } from "@armoricore/bus/EventBus";
import { requiredEncoders } from "@armoricore/media/encode/codecs/Codecs";
import * as FfmpegPrograms from "@armoricore/ffmpeg/FfmpegPrograms";
import { KeyValue } from "@armoricore/state/KeyValue";
import { mediaStates } from "@armoricore/state/MediaStates";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Console, Effect } from "effect";
import { Command } from "effect/cli";
import * as Ai from "../wiring/Ai.ts";
import * as Adapters from "../wiring/Adapters.ts";
import { ExitCode } from "../app/CommandErrors.ts";
import { Settings } from "../settings/Settings.ts";
import { withSettings } from "./with-settings.ts";
/** Longer than a command's connection timeout, whose message is more specific. */
const checkTimeout = "12 seconds";
/** Turns every failure of a check into a finding. */
const runCheck = (name, check) => check.pipe(Effect.map((detail) => ({ name, ok: true, detail })), Effect.catch((error) => Effect.succeed({ name, ok: false, detail: error.message })), Effect.timeoutOrElse({
    duration: checkTimeout,
    orElse: () => Effect.succeed({ name, ok: false, detail: "no response within 12 s; check its address" }),
}));
const bus = Effect.gen(function* () {
    const { MESSAGE_BUS_URL } = yield* Settings;
    // Reads from the bus: the first dead letter, if any.
    yield* (yield* EventBus).deadLetters.list({ limit: 1 });
    if (MESSAGE_BUS_URL === undefined)
        return "embedded";
    return MESSAGE_BUS_URL.some((address) => address.startsWith("amqp")) ? "RabbitMQ responds" : "NATS responds";
}).pipe(Effect.provide(Adapters.busAndState("shared")));
const state = Effect.gen(function* () {
    yield* (yield* KeyValue).get(mediaStates.bucket, "doctor");
    return "reads";
}).pipe(Effect.provide(Adapters.state));
const storage = Effect.gen(function* () {
    const { OBJECT_STORAGE_BUCKET: bucket, OBJECT_STORAGE_ENDPOINT: endpoint } = yield* Settings;
    const objects = yield* ObjectStorage;
    const ref = { bucket, key: `doctor/${crypto.randomUUID()}` };
    yield* objects.setup(bucket);
    yield* objects.put(ref, new Uint8Array([1]), { contentType: "application/octet-stream" });
    yield* objects.remove(ref);
    return endpoint === undefined
        ? "local folder, writes and removes"
        : `bucket ${bucket} of ${endpoint}, writes and removes`;
}).pipe(Effect.provide(Adapters.objectStorage));
const tokens = Effect.gen(function* () {
    const { JWT_JWKS_URL, JWT_PUBLIC_KEY, JWT_SECRET } = yield* Settings;
    if (JWT_JWKS_URL !== undefined)
        return `verified by ${JWT_JWKS_URL.join(", ")}`;
    if (JWT_PUBLIC_KEY !== undefined)
        return "verified by JWT_PUBLIC_KEY";
    return JWT_SECRET === undefined
        ? "signed with a generated secret; set JWT_SECRET in production"
        : "signed with JWT_SECRET";
}).pipe(Effect.provide(Adapters.tokens));
const run = Effect.fn("doctor")(function* () {
    const { FFMPEG_PATH, FFPROBE_PATH, MEDIA_CODECS, MESSAGE_BUS_URL } = yield* Settings;
    const programs = yield* FfmpegPrograms.report({
        encoders: requiredEncoders(MEDIA_CODECS),
        ...(FFMPEG_PATH === undefined ? {} : { ffmpegPath: FFMPEG_PATH }),
        ...(FFPROBE_PATH === undefined ? {} : { ffprobePath: FFPROBE_PATH }),
    });
    // One process can open the embedded data folder only once at a time.
    const concurrency = { concurrency: MESSAGE_BUS_URL === undefined ? 1 : 2 };
    const checked = yield* Effect.all([
        Effect.all([runCheck("bus", bus), runCheck("state", state)], concurrency),
        Effect.all([runCheck("storage", storage), runCheck("tokens", tokens), runCheck("speech", Ai.describeEngine)]),
    ], { concurrency: 2 });
    const findings = [...programs, ...checked.flat()];
    yield* Effect.forEach(findings, ({ detail, name, ok }) => Console.log(`${ok ? "ok   " : "FAULT"}  ${name.padEnd(8)} ${detail}`));
    if (findings.some(({ name, ok }) => !ok && name !== optionalCheck))
        return yield* new ExitCode({ code: 1 });
});
/** Without tone mapping only HDR uploads look wrong, so this check does not fail the command. */
const optionalCheck = "HDR";
export const doctor = Command.make("doctor", {}, () => run().pipe(withSettings));
