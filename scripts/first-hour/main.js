/**
 * `npm run first-hour`: what a person does in the first hour, as a script in a temporary folder. Clone, install, demo, an
 * event from PHP, the typed client and a layer in a project outside, and an operator's replay of a dead letter. Each step
 * is timed, and has to show where the next command is. The table goes to bench/RESULTS.md.
 *
 * Needs git, PHP and the packages of package-lock.json in npm's cache or from the registry. Ends with 2 where a program is
 * missing, and with 1 where a step fails.
 */
import { freePort } from "@armoricore/testing/LocalPort";
import { FakeSpeech } from "@armoricore/testing/fakes/FakeSpeech";
import * as Programs from "@armoricore/testing/Programs";
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { Console, Effect, Logger } from "effect";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Results from "../../bench/Results.ts";
import * as Person from "./Person.ts";
const root = join(import.meta.dirname, "../..");
const missing = ["git", "php", "ffmpeg"].filter((name) => Programs.find(name) === undefined);
const client = `import { channel } from "@armoricore/client"
import { Socket } from "phoenix"

const [url = "", token = "", id = ""] = process.argv.slice(2)
const socket = new Socket(url.replace("http", "ws") + "/socket", { params: { token }, transport: WebSocket })
socket.connect()
const media = channel(socket, \`media:\${id}\`, {})
media.on("media_ready", ({ playback_urls }) => console.log("ready", playback_urls.hls))
media.onJoin(({ status }) => {
  console.log(status)
  socket.disconnect()
})
await media.join()
`;
const pipeline = `import { event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import * as EventCodec from "@armoricore/domain/EventCodec"
import { Testing } from "@armoricore/testing"
import { Deferred, Effect, Layer } from "effect"
import * as Tickets from "./Tickets.ts"

const main = Effect.gen(function* () {
  const opened = yield* Deferred.make<string>()
  const tickets = Layer.succeed(Tickets.TicketSystem, { open: (_, text) => Effect.asVoid(Deferred.succeed(opened, text)) })
  yield* Layer.build(Tickets.layer.pipe(Layer.provide(tickets)))
  const body = EventCodec.encode({
    event_type: "media.failed",
    event_id: crypto.randomUUID(),
    timestamp: new Date().toISOString(),
    source: "media",
    payload: {
      media_id: "m-1",
      user_id: "ada",
      error: { code: "unreadable", message: "the file has no video" },
      failed_at: new Date().toISOString(),
    },
  })
  yield* (yield* EventBus).publish({ address: event("media.failed"), id: crypto.randomUUID(), body })
  console.log("ticket:", yield* Deferred.await(opened))
})
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(Testing.layer)))
`;
const tsconfig = {
    compilerOptions: {
        target: "ES2024",
        lib: ["ES2024", "DOM"],
        module: "NodeNext",
        types: ["node"],
        strict: true,
        noEmit: true,
        erasableSyntaxOnly: true,
        allowImportingTsExtensions: true,
        skipLibCheck: true,
    },
};
const hour = Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(Effect.sync(() => mkdtempSync(join(tmpdir(), "armoricore-first-hour-"))), (path) => Effect.promise(() => rm(path, { recursive: true, force: true, maxRetries: 5 })));
    const clone = join(folder, "armoricore");
    const outside = join(folder, "outside");
    const packed = join(folder, "packed");
    for (const path of [outside, packed])
        mkdirSync(path);
    const speech = yield* FakeSpeech;
    speech.behavior.failingRequests = Infinity;
    const port = yield* freePort;
    const url = `http://127.0.0.1:${port}`;
    const env = {
        PORT: String(port),
        ARMORICORE_URL: url,
        JWT_SECRET: "change-me-please",
        // The speech API is down at first, and one attempt is enough to find out.
        SPEECH_ENGINE: "openai",
        SPEECH_BASE_URL: `${speech.url}/v1`,
        SPEECH_API_KEY: "sk-of-the-fake",
        RETRY_MAX_ATTEMPTS: "1",
    };
    const done = [];
    const step = Effect.fnUntraced(function* (wanted) {
        yield* Console.log(`\n$ ${wanted.command.split("\n")[0]}`);
        const taken = yield* Person.take(wanted, clone);
        done.push(taken);
        yield* Console.log(`${taken.seconds.toFixed(1)} s; next: ${taken.next === "" ? "nothing" : taken.next}`);
        return taken.output;
    });
    yield* step({
        name: "clone",
        command: `git clone --quiet ${root} armoricore && cat armoricore/README.md`,
        folder,
        expected: /npm ci/,
        next: { command: "npm ci" },
    });
    yield* step({
        name: "install",
        command: "npm ci --prefer-offline",
        folder: clone,
        expected: /added \d+ packages/,
        next: { command: "npm run demo -- --once", page: "README.md" },
    });
    yield* step({
        name: "demo",
        command: "npm run demo -- --once",
        folder: clone,
        expected: /Ready: .*fetched/,
        next: { command: "npm start -- start" },
    });
    yield* step({
        name: "start the program",
        command: "npm start -- start",
        folder: clone,
        env,
        expected: /listens on http[^]*console/,
        serves: true,
        next: { command: "php publish-http.php", page: "docs/php.md" },
    });
    const published = yield* step({
        name: "upload and publish from PHP",
        command: `ffmpeg -v error -y -f lavfi -i testsrc=d=2 -f lavfi -i sine=d=2 -shortest holiday.mp4
read MEDIA_ID FILE_PATH UPLOAD_TOKEN <<< "$(php upload.php 42 holiday.mp4 video/mp4)"
export UPLOAD_TOKEN
TOKEN=$(php token.php php-backend publisher) php publish-http.php $MEDIA_ID 42 $FILE_PATH
echo "{\\"media_id\\": \\"$MEDIA_ID\\", \\"user_id\\": \\"42\\", \\"source_file_path\\": \\"$FILE_PATH\\"}" > transcription.json
echo "media $MEDIA_ID"`,
        folder: join(clone, "examples/php"),
        env,
        expected: /published\nmedia \S+/,
        next: { command: "npm run build && npm run pack", page: "docs/layers.md" },
    });
    const [, mediaId = ""] = /media (\S+)/.exec(published) ?? [];
    writeFileSync(join(outside, "package.json"), JSON.stringify({ name: "outside", private: true, type: "module" }));
    writeFileSync(join(outside, "tsconfig.json"), JSON.stringify(tsconfig));
    writeFileSync(join(outside, "client.ts"), client);
    yield* step({
        name: "packages for a project outside",
        command: `npm run build && npm run pack -- --destination ${packed}`,
        folder: clone,
        expected: /armoricore-testing-.*\.tgz/,
        next: { command: `npm install ${packed}/*.tgz` },
    });
    yield* step({
        name: "install them",
        command: `npm install --prefer-offline ${packed}/*.tgz "effect@^4.1.0" phoenix typescript@7 @types/node@24 @types/phoenix`,
        folder: outside,
        expected: /added \d+ packages/,
        next: { command: "npm install @armoricore/client phoenix", page: "docs/javascript.md" },
    });
    const node = join(clone, "node_modules/.bin");
    const outsideEnv = { ...env, PATH: `${node}:${process.env["PATH"]}` };
    yield* step({
        name: "typed client, compiled and run",
        command: `npx tsc -p . && node client.ts ${url} $(php ${clone}/examples/php/token.php 42) ${mediaId}`,
        folder: outside,
        env: outsideEnv,
        expected: /^(processing|playable|ready)/m,
        next: { command: "examples/layers/Tickets.ts", page: "docs/layers.md" },
    });
    writeFileSync(join(outside, "pipeline.ts"), pipeline);
    yield* step({
        name: "a layer in the project outside",
        command: `cp ${clone}/examples/layers/Tickets.ts . && npx tsc -p . && node pipeline.ts`,
        folder: outside,
        env: outsideEnv,
        expected: /ticket: m-1: the file has no video/,
        next: { command: "armoricore dead-letters", page: "docs/operator.md" },
    });
    const publish = yield* step({
        name: "an event that becomes a dead letter",
        command: `npm start --silent -- publish --wait --type transcription.requested examples/php/transcription.json || echo "ended with $?"
npm start --silent -- dead-letters list`,
        folder: clone,
        env,
        expected: /transcription\.failed[^]*ended with 1[^]*transcription\.requested/,
        next: { command: "dead-letters show ID, replay ID" },
    });
    const [letter = ""] = publish
        .trim()
        .split("\n")
        .findLast((line) => line.includes("transcription.requested"))
        ?.split(/\s/) ?? [];
    speech.behavior.failingRequests = 0;
    yield* step({
        name: "an operator's replay",
        command: `npm start --silent -- dead-letters replay ${letter}
for _ in $(seq 60); do
  npm start --silent -- operator jobs --json > jobs.json
  grep -q '"kind":"transcription".*"status":"ready"' jobs.json && break
  sleep 0.5
done
grep transcription jobs.json; npm start --silent -- dead-letters list`,
        folder: clone,
        env,
        expected: /replayed[^]*"status":"ready"[^]*no dead letters/,
        next: "the end",
    });
    const total = done.reduce((sum, { seconds }) => sum + seconds, 0);
    const table = Results.markdownTable([
        ["step", "seconds", "the next command, and where it stands"],
        ...done.map(({ name, next, seconds }) => [name, seconds.toFixed(1), next.replaceAll(`${folder}/`, "")]),
        ["together", total.toFixed(1), ""],
    ]);
    yield* Console.log(`\n${table}`);
    yield* Results.writeSection("first hour", "npm run first-hour", table);
});
if (missing.length > 0) {
    console.error(`first-hour cannot run here: ${missing.join(", ")} not installed`);
    process.exitCode = 2;
}
else {
    hour.pipe(Effect.scoped, Effect.provide(FakeSpeech.layer), Effect.provide(Logger.layer([])), Effect.provide(NodeServices.layer), NodeRuntime.runMain);
}
