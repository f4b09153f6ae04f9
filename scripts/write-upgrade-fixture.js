/**
 * `npm run upgrade:fixture -- CHECKOUT [NAME…]`: runs the program of another checkout (a release, with its own `npm ci`)
 * and stores its data in `test/fixtures/upgrade/`. `test/upgrade.test.ts` starts this version on that data. Run the script
 * once for each release. It runs four configurations: `embedded`, `nats`, `postgres` (embedded bus, state in PostgreSQL)
 * and `rabbitmq`. Each NAME selects one of them.
 */
import * as UploadClient from "@armoricore/demo/UploadClient";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as PostgresServer from "@armoricore/testing/PostgresServer";
import * as Programs from "@armoricore/testing/Programs";
import * as RabbitServer from "@armoricore/testing/RabbitServer";
import * as NodeRuntime from "@effect/platform-node/NodeRuntime";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { Effect } from "effect";
import { execFileSync } from "node:child_process";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { request, retryUntil } from "../packages/armoricore/test/support/ApiClient.ts";
import * as ProgramProcess from "../packages/armoricore/test/support/ProgramProcess.ts";
import * as ChatRoom from "../test/support/ChatRoom.ts";
import * as NatsSnapshot from "../test/support/NatsSnapshot.ts";
import * as RabbitSnapshot from "../test/support/RabbitSnapshot.ts";
import { env as common, fixturesPath, room, futureSource, user, chatMessages, } from "../test/support/UpgradeScenario.ts";
const root = fileURLToPath(new URL("..", import.meta.url));
const checkout = resolve(process.argv[2] ?? "");
const bin = join(checkout, "packages", "armoricore", "bin", "armoricore.js");
const out = join(root, fixturesPath);
const commit = () => execFileSync("git", ["rev-parse", "HEAD"], { cwd: checkout, encoding: "utf8" }).trim();
const reportSize = (name) => console.log(`${name}: ${Math.ceil(statSync(join(out, name)).size / 1024)} KiB`);
const startProgram = Effect.fnUntraced(function* (env) {
    const program = yield* ProgramProcess.launch(["start"], { PORT: "0", ...env }, bin);
    const [, url = ""] = yield* program.waitForOutput(/armoricore listens on (http:\S+)/);
    return url;
});
const tokenFor = (env, ...args) => Effect.map(ProgramProcess.run(["token", ...args], env, bin), ({ stdout }) => stdout.trim());
const uploadClip = Effect.fnUntraced(function* (url, token, clip) {
    const grant = yield* UploadClient.requestUpload(url, token, clip);
    yield* UploadClient.uploadFile(grant, clip);
    return grant;
});
const envelope = (source, type, payload) => ({
    event_type: type,
    event_id: crypto.randomUUID(),
    timestamp: new Date().toISOString(),
    source,
    payload: { user_id: user, ...payload },
});
/** Uses the command, which publishes whether the program runs or not. */
const publish = Effect.fnUntraced(function* (env, folder, event) {
    const file = join(folder, "event.json");
    writeFileSync(file, JSON.stringify(event));
    const { code, stderr } = yield* ProgramProcess.run(["publish", file], env, bin);
    if (code !== 0)
        return yield* Effect.die(new Error(stderr));
});
const waitForState = Effect.fnUntraced(function* (path, token, isReached) {
    const readState = request(path, { headers: { authorization: `Bearer ${token}` } });
    const { json } = yield* retryUntil(readState, (response) => typeof response.json === "object" && response.json !== null && isReached(response.json));
    // `retryUntil` accepts only an object.
    return json;
});
/** Processes an upload, sends a mail, chats and produces a dead letter; leaves another upload unprocessed. */
const runScenario = Effect.fnUntraced(function* (env) {
    const folder = yield* ProgramProcess.temporaryDirectory;
    const clip = join(folder, "clip.mp4");
    const sources = "-v error -f lavfi -i testsrc2=s=160x90:r=10 -f lavfi -i sine=f=330 -t 1";
    const encoded = "-c:v libx264 -preset veryfast -crf 35 -pix_fmt yuv420p -c:a aac -b:a 32k";
    execFileSync(Programs.find("ffmpeg") ?? "ffmpeg", [...`${sources} ${encoded}`.split(" "), clip]);
    const token = yield* tokenFor(env, "--user", user);
    const recorded = yield* Effect.scoped(Effect.gen(function* () {
        const url = yield* startProgram(env);
        const finished = yield* uploadClip(url, token, clip);
        yield* publish(env, folder, envelope("php-backend", "media.uploaded", finished));
        const mail = {
            notification_type: "email",
            title: "Seaworthy",
            body: "It floats.",
            data: { email: "u1@demo.invalid" },
        };
        yield* publish(env, folder, envelope("php-backend", "notification.requested", mail));
        const chat = yield* ChatRoom.join(url, token, room);
        const sent = yield* Effect.forEach(chatMessages, chat.say);
        const rejected = yield* uploadClip(url, token, clip);
        const waiting = yield* uploadClip(url, token, clip);
        yield* publish({ ...env, ...futureSource }, folder, envelope("shop", "media.uploaded", rejected));
        const listDeadLetters = ProgramProcess.run(["dead-letters", "list"], env, bin);
        const { stdout } = yield* retryUntil(listDeadLetters, (listed) => listed.stdout !== "");
        const inbox = yield* waitForState(`${url}/v1/inbox`, token, (json) => JSON.stringify(json).includes("Seaworthy"));
        const messages = inbox["messages"];
        const id = String(messages[0]?.["notification_id"]);
        return {
            ready: yield* waitForState(`${url}/v1/media/${finished.media_id}`, token, (json) => Reflect.get(json, "status") === "ready"),
            waiting,
            rejected: rejected.media_id,
            deadLetter: stdout.split("\t")[0] ?? "",
            notification: yield* waitForState(`${url}/v1/notifications/${id}`, token, (json) => Reflect.get(json, "status") === "sent"),
            inbox: messages,
            chat: sent,
        };
    }));
    // The program has stopped: this event stays on the bus.
    yield* publish(env, folder, envelope("php-backend", "media.uploaded", recorded.waiting));
    return { commit: commit(), at: Date.now(), ...recorded, waiting: recorded.waiting.media_id };
});
const saveFixture = (name, data, recorded) => {
    writeFileSync(join(out, `${name}.json`), `${JSON.stringify(recorded, null, 2)}\n`);
    execFileSync("tar", ["--owner=0", "--group=0", "-czf", join(out, `${name}.tar.gz`), "-C", data, "."]);
    reportSize(`${name}.tar.gz`);
};
const writeText = (name, text) => {
    writeFileSync(join(out, name), text);
    reportSize(name);
};
const dumpDatabase = (url) => execFileSync(Programs.find("pg_dump") ?? "pg_dump", ["--inserts", "--no-owner", "-d", url], {
    encoding: "utf8",
}).replaceAll(/^\\.*\n/gm, "");
const fixture = {
    embedded: Effect.gen(function* () {
        const data = yield* ProgramProcess.temporaryDirectory;
        saveFixture("embedded", data, yield* runScenario({ ...common, ARMORICORE_DATA_DIR: data }));
    }),
    nats: Effect.gen(function* () {
        const { url } = yield* NatsServer.make();
        const data = yield* ProgramProcess.temporaryDirectory;
        saveFixture("nats", data, yield* runScenario({ ...common, ARMORICORE_DATA_DIR: data, MESSAGE_BUS_URL: url }));
        writeText("nats-streams.json", JSON.stringify(yield* NatsSnapshot.take(url), null, 1));
    }),
    postgres: Effect.gen(function* () {
        const { url } = yield* PostgresServer.make();
        const data = yield* ProgramProcess.temporaryDirectory;
        saveFixture("postgres", data, yield* runScenario({ ...common, ARMORICORE_DATA_DIR: data, STATE_URL: url }));
        writeText("postgres.sql", dumpDatabase(url));
    }),
    rabbitmq: Effect.gen(function* () {
        const { url: state } = yield* PostgresServer.make();
        const server = yield* RabbitServer.make({ virtualHosts: 1 });
        const url = yield* server.newUrl;
        const data = yield* ProgramProcess.temporaryDirectory;
        const env = { ...common, ARMORICORE_DATA_DIR: data, MESSAGE_BUS_URL: url, STATE_URL: state };
        saveFixture("rabbitmq", data, yield* runScenario(env));
        writeText("rabbitmq.sql", dumpDatabase(state));
        writeText("rabbitmq-queues.json", JSON.stringify(yield* RabbitSnapshot.take(url, yield* server.definitions), null, 1));
    }),
};
const selected = process.argv.slice(3);
const main = Effect.gen(function* () {
    mkdirSync(out, { recursive: true });
    for (const [name, make] of Object.entries(fixture)) {
        if (selected.length === 0 || selected.includes(name))
            yield* Effect.scoped(make);
    }
});
NodeRuntime.runMain(Effect.scoped(main).pipe(Effect.provide(NodeServices.layer)));
