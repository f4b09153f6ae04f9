import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it } from "@effect/vitest";
import { ConfigProvider, Duration, Effect, Layer, Redacted } from "effect";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe as lines, Settings } from "../../src/settings/Settings.ts";
import * as Realtime from "../../src/wiring/Realtime.ts";
import * as ProgramProcess from "../support/ProgramProcess.ts";
const settings = (env) => Settings.pipe(Effect.provide(Settings.layer.pipe(Layer.provide(NodeServices.layer), Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))))));
/** The path of a channels file with this content. */
const channelsFile = (content) => Effect.map(ProgramProcess.temporaryDirectory, (folder) => {
    const path = join(folder, "channels.json");
    writeFileSync(path, content);
    return path;
});
const faultsOf = (env) => Effect.map(Effect.flip(settings(env)), (error) => (error._tag === "SettingsError" ? error.errors : []));
const all = {
    REALTIME_MAX_USER_SOCKETS: "3",
    REALTIME_MAX_ADDRESS_SOCKETS: "50",
    REALTIME_MAX_SOCKET_TOPICS: "7",
    REALTIME_USER_MESSAGE_RATE: "20",
    REALTIME_USER_JOIN_RATE: "5:60",
    REALTIME_ADDRESS_JOIN_RATE: "0.5:8",
    REALTIME_MAX_MESSAGE_BYTES: "32 KiB",
    REALTIME_MAX_FRAME_BYTES: "200 kB",
    REALTIME_MAX_QUEUE_BYTES: "2 MiB",
    REALTIME_IDLE_TIMEOUT: "90 s",
    REALTIME_LONGPOLL_TIMEOUT: "5 s",
    REALTIME_DRAIN_TIMEOUT: "0 s",
    REALTIME_PRESENCE_LIST_LIMIT: "200",
    REALTIME_READ_LIST_LIMIT: "30",
    MESSAGE_EDIT_WINDOW: "15 m",
    COMMENT_MIN_INTERVAL: "2 s",
    MEDIA_TOPIC_POLICY: "owner",
};
describe("Settings of realtime", () => {
    it.effect("reach the service in its units", () => Effect.gen(function* () {
        assert.deepStrictEqual(Realtime.realtimeOptions(yield* settings(all), false), {
            allowedOrigins: "same",
            mediaTopicPolicy: "owner",
            access: { roomPolicy: "open" },
            commentRate: { perSecond: 0.5, burst: 1 },
            editWindow: Duration.minutes(15),
            readState: { maxListed: 30 },
            presence: { maxListed: 200 },
            limits: {
                maxSocketsPerUser: 3,
                maxSocketsPerAddress: 50,
                maxTopics: 7,
                userMessages: { perSecond: 20, burst: 200 },
                userJoins: { perSecond: 5, burst: 60 },
                addressJoins: { perSecond: 0.5, burst: 8 },
                maxMessageBytes: 32_768,
                maxFrameBytes: 200_000,
                maxQueuedBytes: 2_097_152,
                idleTimeout: Duration.seconds(90),
                pollWindow: Duration.seconds(5),
                drainDuration: Duration.zero,
            },
        });
    }));
    it.effect("of access reach the service: the hook and the topics of the file", () => Effect.gen(function* () {
        const file = yield* channelsFile('{"topics":[{"topic":"room:a","policy":"authorize"}]}');
        const options = Realtime.realtimeOptions(yield* settings({
            ROOM_POLICY: "members",
            CHANNELS_FILE: file,
            AUTHORIZE_URL: "https://example.com/authorize/",
            AUTHORIZE_SECRET: "a secret of this test",
            AUTHORIZE_TOPICS: "chat:room:*",
            AUTHORIZE_PUSH: "new_message, broadcast",
            AUTHORIZE_TTL: "1 min",
            AUTHORIZE_ON_FAILURE: "allow",
        }), false);
        assert.deepStrictEqual(options.channels, [{ topic: "room:a", policy: "authorize" }]);
        assert.deepStrictEqual(options.access, {
            roomPolicy: "members",
            authorizeTopics: ["chat:room:*"],
            authorizeEvents: ["new_message", "broadcast"],
        });
        const { secret, ...authorize } = options.authorize ?? { secret: undefined };
        assert.isTrue(Redacted.isRedacted(secret));
        assert.deepStrictEqual(authorize, {
            url: "https://example.com/authorize",
            timeout: Duration.seconds(5),
            defaultTtl: Duration.minutes(1),
            allowOnFailure: true,
        });
    }));
    it.effect("of access that do not fit together are errors", () => Effect.gen(function* () {
        const authorize = yield* channelsFile('{"topics":[{"topic":"chat:room:a","policy":"authorize"}]}');
        const faulty = yield* channelsFile('{"topics":[{"topic":"room:a","max_users":"many"}]}');
        const cases = [
            [{ AUTHORIZE_URL: "http://localhost" }, "AUTHORIZE_SECRET is missing"],
            [{ AUTHORIZE_PUSH: "new_message" }, "AUTHORIZE_URL is missing: AUTHORIZE_PUSH"],
            [{ CHANNELS_FILE: authorize }, "AUTHORIZE_URL is missing: the topic chat:room:a"],
            [{ CHANNELS_FILE: faulty }, `CHANNELS_FILE names ${faulty}, which has a fault: topics.0.max_users must be`],
            [{ CHANNELS_FILE: "/nowhere.json" }, "CHANNELS_FILE names /nowhere.json, which cannot be read"],
            [{ ROOM_POLICY: "closed" }, "ROOM_POLICY must be one of open, members"],
        ];
        for (const [env, fault] of cases) {
            const faults = yield* faultsOf(env);
            assert.lengthOf(faults, 1, JSON.stringify(faults));
            assert.isTrue(faults[0]?.startsWith(fault), faults[0]);
        }
    }));
    it.effect("are printed in the form that the setting accepts", () => Effect.gen(function* () {
        const printed = lines(yield* settings({ REALTIME_USER_JOIN_RATE: "5:60" }));
        assert.include(printed, "REALTIME_USER_JOIN_RATE=5:60");
        assert.include(printed, "REALTIME_USER_MESSAGE_RATE=100:1000");
    }));
    for (const [name, value] of [
        ["REALTIME_MAX_USER_SOCKETS", "0"],
        ["REALTIME_MAX_SOCKET_TOPICS", "many"],
        ["REALTIME_USER_MESSAGE_RATE", "0"],
        ["REALTIME_USER_JOIN_RATE", "50:0"],
        ["REALTIME_ADDRESS_JOIN_RATE", "50:"],
        ["REALTIME_MAX_MESSAGE_BYTES", "1"],
        ["REALTIME_MAX_QUEUE_BYTES", "64 PiB"],
        ["REALTIME_IDLE_TIMEOUT", "0"],
        ["REALTIME_LONGPOLL_TIMEOUT", "30 s"],
        ["REALTIME_DRAIN_TIMEOUT", "1 h"],
    ]) {
        it.effect(`${name}=${value} is an error`, () => Effect.gen(function* () {
            const faults = yield* faultsOf({ [name]: value });
            assert.lengthOf(faults, 1);
            assert.isTrue(faults[0]?.startsWith(`${name} must be `), faults[0]);
        }));
    }
    it.effect("a message limit above the frame limit is an error", () => Effect.gen(function* () {
        const faults = yield* faultsOf({ REALTIME_MAX_FRAME_BYTES: "10 kB" });
        assert.lengthOf(faults, 1);
        assert.match(faults[0] ?? "", /^REALTIME_MAX_FRAME_BYTES is smaller than REALTIME_MAX_MESSAGE_BYTES/);
    }));
    it.live("apply in the running program: the second connection of a user and the second topic are rejected", () => Effect.gen(function* () {
        const data = yield* ProgramProcess.temporaryDirectory;
        const secret = "a secret of this test, 32 bytes and more";
        const env = { ARMORICORE_DATA_DIR: data, PORT: "0", JWT_SECRET: secret, LOG_FORMAT: "json" };
        const signed = yield* ProgramProcess.launch(["token", "--user", "u1"], env);
        const token = (yield* signed.exited).stdout.trim();
        const limits = {
            REALTIME_MAX_USER_SOCKETS: "1",
            REALTIME_MAX_SOCKET_TOPICS: "1",
            REALTIME_MAX_MESSAGE_BYTES: "2000",
        };
        const running = yield* ProgramProcess.launch(["start"], { ...env, ...limits });
        const [, url = ""] = yield* running.waitForOutput(/on (http:\S+?)[" ]/);
        const address = `${url.replace("http", "ws")}/socket/websocket?vsn=2.0.0&token=${token}`;
        const open = Effect.callback((resume) => {
            const socket = new WebSocket(address);
            socket.addEventListener("open", () => resume(Effect.succeed(socket)));
            socket.addEventListener("error", () => resume(Effect.fail("refused")));
        });
        const socket = yield* open;
        assert.strictEqual(yield* Effect.flip(open), "refused");
        const ask = (...frame) => Effect.callback((resume) => {
            socket.addEventListener("message", ({ data }) => resume(Effect.succeed(String(data))), { once: true });
            socket.send(JSON.stringify(frame));
        });
        assert.include(yield* ask("1", "1", "chat:room:a", "phx_join", {}), '"status":"ok"');
        assert.include(yield* ask("2", "2", "chat:room:b", "phx_join", {}), "too many channels joined");
        const content = "x".repeat(2000);
        assert.include(yield* ask("1", "3", "chat:room:a", "new_message", { content }), '"limit":2000');
        socket.close();
    }), 60_000);
});
