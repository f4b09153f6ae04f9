/**
 * `armoricore demo`: runs the whole system on embedded defaults and sends a clip through it. With `--once` it verifies
 * the installation: exit code 0 only if `media.ready` arrived over a WebSocket and the stream could be fetched.
 */
import { Tokens } from "@armoricore/auth/Tokens";
import * as Backend from "@armoricore/demo/Backend";
import * as DemoRoutes from "@armoricore/demo/DemoRoutes";
import { watchMedia } from "@armoricore/demo/MediaWatcher";
import * as ProgressBar from "@armoricore/demo/ProgressBar";
import * as SampleClip from "@armoricore/demo/SampleClip";
import { verifyStream } from "@armoricore/demo/StreamVerifier";
import * as UploadClient from "@armoricore/demo/UploadClient";
import * as FfmpegPrograms from "@armoricore/ffmpeg/FfmpegPrograms";
import { ConfigProvider, Console, Duration, Effect, FileSystem, Layer, Option, Path, Ref } from "effect";
import { Command, Flag } from "effect/cli";
import { CommandFailed } from "../app/CommandErrors.ts";
import * as Program from "../app/Program.ts";
import { serviceNames } from "../app/Services.ts";
import { Settings } from "../settings/Settings.ts";
import { selectedEngine } from "../wiring/Ai.ts";
import { ClusterWorker } from "../workers/ClusterWorker.ts";
import * as Adapters from "../wiring/Adapters.ts";
import { printConsoleLink, withGracefulExit } from "./support.ts";
import { withSettings } from "./with-settings.ts";
const once = Flag.Boolean("once").pipe(Flag.withDescription("exit after one file; 0 only if its stream was announced and fetched"), Flag.withDefault(false));
const input = Flag.String("input").pipe(Flag.withDescription("upload this file instead of the generated sample clip"), Flag.withMetavar("FILE"), Flag.optional);
/** Generous, because `--input` may name a film of several hours. */
const readyTimeout = Duration.hours(6);
const run = Effect.fnUntraced(function* (options) {
    const settings = yield* Settings;
    const file = yield* Option.match(options.input, { onSome: existingFile, onNone: () => sampleClip });
    const requestTranscription = (yield* selectedEngine) !== "off";
    const latestMediaId = yield* Ref.make(undefined);
    const { url } = yield* Program.serve(new Set(serviceNames), DemoRoutes.layer({ bucket: settings.OBJECT_STORAGE_BUCKET, latestMediaId, requestTranscription, sample: file }));
    const publicUrl = settings.PUBLIC_URL ?? url;
    const tokens = yield* Tokens;
    const token = yield* tokens.sign({ userId: DemoRoutes.demoUserId, ttl: Duration.hours(12) });
    const grant = yield* UploadClient.requestUpload(publicUrl, token, file);
    yield* Console.log(`Uploading ${grant.file_path}`);
    const bar = ProgressBar.make(process.stdout);
    const ready = yield* watchMedia(publicUrl, token, grant.media_id, bar.show);
    yield* UploadClient.uploadFile(grant, file);
    const { file_path, media_id, upload_token } = grant;
    const { event_id } = yield* Backend.publishUploaded(publicUrl, { media_id, user_id: DemoRoutes.demoUserId, file_path, upload_token }, { requestTranscription });
    yield* Console.log(`Published media.uploaded ${event_id}`);
    yield* Ref.set(latestMediaId, grant.media_id);
    if (!options.once)
        yield* Console.log(`The page: ${url}/`);
    const result = yield* Effect.timeoutOrElse(ready, {
        duration: readyTimeout,
        orElse: () => Effect.fail(new CommandFailed({ message: `no media.ready within ${Duration.format(readyTimeout)} over the WebSocket` })),
    }).pipe(Effect.ensuring(Effect.sync(bar.end)));
    const { renditions, segments, thumbnails } = yield* verifyStream(result);
    yield* Console.log(`Ready: ${result.resolutions.join(", ")} (${renditions} renditions, ${segments} segments, ${thumbnails} thumbnails fetched)`);
    yield* Console.log(result.playback_urls.hls);
    if (options.once) {
        yield* Console.log("Next: npm start -- start (docs/php.md publishes to it, docs/clients.md watches it)");
        return;
    }
    yield* printConsoleLink(url);
    yield* Console.log(`Open ${url}/ in a browser. Ctrl-C ends the demo.`);
    return yield* Effect.never;
}, Effect.scoped, withGracefulExit);
const existingFile = Effect.fnUntraced(function* (file) {
    const fs = yield* FileSystem.FileSystem;
    if (yield* fs.exists(file))
        return file;
    return yield* new CommandFailed({ message: `--input ${file}: this file does not exist` });
});
const sampleClip = Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem;
    const { join } = yield* Path.Path;
    const file = join(yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-sample-" }), "sample.mp4");
    yield* Console.log("Making a short clip with video and audio …");
    const { FFMPEG_PATH, FFPROBE_PATH } = yield* Settings;
    yield* SampleClip.make(file).pipe(Effect.provide(FfmpegPrograms.FfmpegPrograms.layer({
        ...(FFMPEG_PATH === undefined ? {} : { ffmpegPath: FFMPEG_PATH }),
        ...(FFPROBE_PATH === undefined ? {} : { ffprobePath: FFPROBE_PATH }),
    })));
    return file;
});
/** Defaults behind the environment: a temporary data folder, any free port and a short drain. */
const demoDefaults = Layer.unwrap(Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem;
    const environment = yield* ConfigProvider.ConfigProvider;
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-demo-" });
    const defaults = ConfigProvider.fromEnvRecord({
        ARMORICORE_DATA_DIR: folder,
        PORT: "0",
        LOG_LEVEL: "warn",
        // The data folder is removed, so no encode has to end first.
        DRAIN_TIMEOUT: "1s",
    });
    return ConfigProvider.layer(ConfigProvider.orElse(environment, defaults));
}));
export const demo = Command.make("demo", { once, input }, (options) => run(options).pipe(Effect.provide([Adapters.tokens, ClusterWorker.layerNoop]), withSettings, Effect.provide(demoDefaults)));
