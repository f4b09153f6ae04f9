/**
 * `npm run deploy:check`: builds deploy/Dockerfile with buildah and runs the image, read-only and as its own user, against
 * NATS, PostgreSQL and an S3 server. A clip goes through it from outside, as with `demo --once`. Then it checks the files of
 * Compose, Kubernetes and Prometheus. The result goes to bench/RESULTS.md.
 *
 * Needs root (for chroot and mounts) and the programs of `programs`, no container runtime. Ends with 2 where one is
 * missing, and with 1 where a check fails. `--base FOLDER` keeps the base images there and uses them again.
 */
import * as UploadClient from "@armoricore/demo/UploadClient";
import { watchMedia } from "@armoricore/demo/MediaWatcher";
import { verifyStream } from "@armoricore/demo/StreamVerifier";
import { freePort } from "@armoricore/testing/LocalPort";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as PostgresServer from "@armoricore/testing/PostgresServer";
import * as Programs from "@armoricore/testing/Programs";
import { S3Server } from "@armoricore/testing/S3Server";
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { Console, Effect, Logger, Redacted, Schedule } from "effect";
import { mkdirSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Results from "../../bench/Results.ts";
import { CheckFailed, run } from "./Command.ts";
import * as Container from "./Container.ts";
import * as Image from "./Image.ts";
const maxMegabytes = 700;
const jwtSecret = "0123456789abcdef0123456789abcdef";
const programs = ["buildah", "debootstrap", "unshare", "ffmpeg", "nats-server", "postgres", "initdb", "promtool"];
const optionOf = (name) => {
    const at = process.argv.indexOf(`--${name}`);
    return at === -1 ? undefined : process.argv[at + 1];
};
/** Why this machine cannot run the check; empty where it can. */
const missing = [
    ...(process.getuid?.() === 0 ? [] : ["it needs root, for chroot and mounts"]),
    ...programs.filter((name) => Programs.find(name) === undefined).map((name) => `${name} is not installed`),
];
const folderOf = Effect.acquireRelease(Effect.sync(() => {
    const wanted = optionOf("base");
    if (wanted !== undefined)
        mkdirSync(wanted, { recursive: true });
    return { path: wanted ?? mkdtempSync(join(tmpdir(), "deploy-check-")), isOwn: wanted === undefined };
}), ({ isOwn, path }) => isOwn ? Effect.promise(() => rm(path, { recursive: true, force: true, maxRetries: 3 })) : Effect.void);
const get = (url, init = {}) => Effect.tryPromise({
    try: async (signal) => {
        const response = await fetch(url, { ...init, signal });
        return { status: response.status, text: await response.text() };
    },
    catch: (error) => new CheckFailed({ message: `${url}: ${String(error)}` }),
});
const waitUntilReady = (url, { output }) => get(url).pipe(Effect.map(({ status }) => status === 200), Effect.orElseSucceed(() => false), Effect.repeat({ until: (met) => met, schedule: Schedule.spaced("500 millis") }), Effect.timeoutOrElse({
    duration: "60 seconds",
    orElse: () => Effect.fail(new CheckFailed({ message: `${url} is not ready within 60 s\n${output().slice(-3_000)}` })),
}));
/** Uploads a clip and fetches its stream, as `demo --once` does; how many segments it has. */
const sendClip = Effect.fnUntraced(function* (url, file, user, publisher) {
    const grant = yield* UploadClient.requestUpload(url, user, file);
    const ready = yield* watchMedia(url, user, grant.media_id, () => { });
    yield* UploadClient.uploadFile(grant, file);
    const { file_path, media_id, upload_token } = grant;
    const accepted = yield* get(`${url}/v1/events`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${publisher}` },
        body: JSON.stringify({
            event_type: "media.uploaded",
            event_id: crypto.randomUUID(),
            timestamp: new Date().toISOString(),
            source: "php-backend",
            payload: { media_id, user_id: "visitor", file_path, upload_token },
        }),
    });
    if (accepted.status !== 202)
        return yield* new CheckFailed({ message: `media.uploaded: ${accepted.text}` });
    return yield* verifyStream(yield* Effect.timeout(ready, "2 minutes"));
}, Effect.scoped);
const check = Effect.gen(function* () {
    const startedAt = Date.now();
    const { path: folder } = yield* folderOf;
    const image = yield* Image.build(folder);
    yield* Console.log(`The image is built: ${image.megabytes} MB in ${image.buildSeconds} s`);
    const nats = yield* NatsServer.make();
    const postgres = yield* PostgresServer.make();
    const s3 = yield* S3Server;
    const port = yield* freePort;
    const url = `http://127.0.0.1:${port}`;
    const settings = {
        HOST: "127.0.0.1",
        PORT: String(port),
        MESSAGE_BUS_URL: nats.url,
        STATE_URL: postgres.url,
        OBJECT_STORAGE_ENDPOINT: s3.endpoint,
        OBJECT_STORAGE_BUCKET: "media",
        OBJECT_STORAGE_ACCESS_KEY: s3.accessKey,
        OBJECT_STORAGE_SECRET_KEY: Redacted.value(s3.secretKey),
        JWT_SECRET: jwtSecret,
        PUBLIC_URL: url,
    };
    yield* Container.runToEnd(image, ["setup"], settings);
    const tokenFor = (...args) => Effect.flatMap(Container.runToEnd(image, ["token", ...args], settings), (text) => {
        const [token] = /eyJ\S+/.exec(text) ?? [];
        return token === undefined
            ? Effect.fail(new CheckFailed({ message: `token printed none: ${text}` }))
            : Effect.succeed(token);
    });
    const user = yield* tokenFor("--user", "visitor");
    const publisher = yield* tokenFor("--user", "php-backend", "--role", "publisher");
    const program = yield* Container.start(image, image.config.Cmd, settings);
    yield* waitUntilReady(`${url}/readyz`, program);
    const health = yield* get(`${url}/healthz`);
    const clip = join(folder, "clip.mp4");
    const video = "-f lavfi -i testsrc2=size=640x360:rate=25:duration=3 -f lavfi -i sine=duration=3";
    const encoding = "-c:v libx264 -pix_fmt yuv420p -c:a aac";
    yield* run("ffmpeg", `-y -loglevel error ${video} ${encoding} ${clip}`.split(" "));
    const stream = yield* sendClip(url, clip, user, publisher).pipe(Effect.mapError((error) => new CheckFailed({ message: `${error.message}\n${program.output().slice(-3_000)}` })));
    const consolePage = yield* get(`${url}/console/`);
    yield* run("promtool", ["check", "metrics"], (yield* get(`${url}/metrics`)).text);
    const drainStartedAt = Date.now();
    program.child.kill("SIGTERM");
    const code = yield* Effect.promise(() => program.exited);
    const drainSeconds = ((Date.now() - drainStartedAt) / 1000).toFixed(1);
    const tests = ["test/deploy.test.ts", "test/deploy-schemas.test.ts"];
    yield* run(process.execPath, ["scripts/test.js", "--project", "repo", ...tests]);
    const rows = [
        ["size of the image", `${image.megabytes} MB of at most ${maxMegabytes}`, image.megabytes <= maxMegabytes],
        ["user", image.config.User, image.config.User === "1000:1000"],
        ["`setup` and `token`, read-only", "exit 0", true],
        ["`/healthz`", `${health.status}`, health.status === 200],
        ["a clip, from outside", `${stream.segments} segments, ${stream.thumbnails} thumbnails`, stream.segments > 0],
        ["console", `${consolePage.status}`, consolePage.status === 200],
        ["`/metrics`", "promtool finds no fault", true],
        ["SIGTERM", `exit ${code} after ${drainSeconds} s`, code === 0],
        ["Compose, Kubernetes, Prometheus", "schemas and promtool find no fault", true],
    ];
    const table = Results.markdownTable([
        ["check", "result", "holds"],
        ...rows.map(([name, result, holds]) => [name, result, holds ? "yes" : "NO"]),
    ]);
    yield* Console.log(table);
    const seconds = Math.round((Date.now() - startedAt) / 1000);
    const summary = `The image was built in ${image.buildSeconds} s; the whole check took ${seconds} s.`;
    yield* Results.writeSection("deploy", "npm run deploy:check", `${summary}\n\n${table}`);
    if (rows.some(([, , holds]) => !holds))
        return yield* new CheckFailed({ message: "A check fails; see the table" });
});
if (missing.length > 0) {
    console.error(`deploy:check cannot run here: ${missing.join("; ")}`);
    process.exitCode = 2;
}
else {
    check.pipe(Effect.scoped, Effect.provide(S3Server.layer({ buckets: ["media"] })), Effect.provide(Logger.layer([])), Effect.provide(NodeServices.layer), NodeRuntime.runMain);
}
