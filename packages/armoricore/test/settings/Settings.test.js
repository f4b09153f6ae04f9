import * as NodeServices from "@effect/platform-node/NodeServices";
import { nkeys } from "nats";
import { assert, describe, it } from "@effect/vitest";
import { ConfigProvider, Duration, Effect, FileSystem, Redacted } from "effect";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as Settings from "../../src/settings/Settings.ts";
import { envExample } from "../../src/settings/ConfigurationReference.ts";
const read = (env) => Settings.Settings.pipe(Effect.provide(Settings.Settings.layer), Effect.provide(NodeServices.layer), Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))));
const faultsOf = (env) => read(env).pipe(Effect.flip, Effect.map((error) => (error._tag === "SettingsError" ? error.errors : [error.message])));
const seedOf = (pair) => new TextDecoder().decode(pair.getSeed());
const [seed, accountSeed] = [seedOf(nkeys.createUser()), seedOf(nkeys.createAccount())];
describe("Settings", () => {
    it.effect("an empty environment gives the embedded defaults", () => Effect.gen(function* () {
        const settings = yield* read({});
        assert.strictEqual(settings.PORT, 4000);
        assert.strictEqual(settings.HOST, "127.0.0.1");
        assert.strictEqual(settings.MESSAGE_BUS_URL, undefined);
        assert.strictEqual(settings.JWT_SECRET, undefined);
        assert.deepStrictEqual(settings.EVENT_SOURCES["php-backend"], [
            "media.uploaded",
            "media.delete_requested",
            "user.erase_requested",
            "notification.requested",
            "notification.cancelled",
            "transcription.requested",
        ]);
    }));
    it.effect("reports all errors together", () => Effect.gen(function* () {
        const faults = yield* faultsOf({ PORT: "http", RETRY_BASE: "soon", APNS_KEY: "k", JWT_SECRET: "short" });
        for (const name of ["PORT", "RETRY_BASE", "JWT_SECRET", "APNS_KEY_ID", "APNS_TEAM_ID", "APNS_TOPIC"]) {
            assert.isTrue(faults.some((fault) => fault.startsWith(`${name} `)), `${name} in ${faults.join(" | ")}`);
        }
        assert.strictEqual(faults.length, 6);
    }));
    for (const [half, missing] of [
        [{ OBJECT_STORAGE_ENDPOINT: "http://localhost:9000" }, "OBJECT_STORAGE_ACCESS_KEY"],
        [{ OBJECT_STORAGE_ACCESS_KEY: "a", OBJECT_STORAGE_SECRET_KEY: "b" }, "OBJECT_STORAGE_ENDPOINT"],
        [{ VAPID_PUBLIC_KEY: "a", VAPID_SUBJECT: "mailto:a@b.c" }, "VAPID_PRIVATE_KEY"],
        [{ WEBHOOK_URL: "https://example.com" }, "WEBHOOK_SECRET"],
        [{ SENDGRID_BASE_URL: "https://example.com" }, "SENDGRID_API_KEY"],
        [{ SMTP_URL: "smtp://localhost" }, "MAIL_FROM"],
        // regression: without topics, anyone with an AWS account could report bounces
        [{ SES_REGION: "eu-west-1", MAIL_FROM: "a@example.com" }, "SES_TOPICS"],
        [{ SMTP_URL: "smtp://localhost", MAIL_FROM: "a@b.c", DKIM_DOMAIN: "b.c", DKIM_SELECTOR: "s" }, "DKIM_KEY"],
        [{ SMTP_CA: fileURLToPath(import.meta.url) }, "SMTP_URL"],
        // regression: a speech server without SPEECH_ENGINE was ignored without a message
        [{ SPEECH_BASE_URL: "http://localhost:8080", SPEECH_API_KEY: "k" }, "SPEECH_ENGINE"],
        [{ NATS_NKEY_SEED: seed }, "MESSAGE_BUS_URL"],
        [{ MESSAGE_BUS_URL: "amqp://localhost" }, "STATE_URL"],
    ]) {
        it.effect(`${Object.keys(half).join(", ")} without ${missing} is an error`, () => Effect.gen(function* () {
            const faults = yield* faultsOf(half);
            assert.isTrue(faults.some((fault) => fault.startsWith(`${missing} is missing`)), faults.join(" | "));
        }));
    }
    for (const [env, name] of [
        [{ OBJECT_STORAGE_BUCKET: "../x" }, "OBJECT_STORAGE_BUCKET"],
        [{ CDN_BASE_URL: "https://cdn.example.com", AKAMAI_EDGEAUTH_KEY: "zz" }, "AKAMAI_EDGEAUTH_KEY"],
        [{ FCM_SERVICE_ACCOUNT: "{}" }, "FCM_SERVICE_ACCOUNT"],
        [{ RETRY_BASE: "100s", RETRY_CAP: "1s" }, "RETRY_BASE"],
        [{ AMQP_CA: "/no/such.pem", MESSAGE_BUS_URL: "amqps://localhost", STATE_URL: "postgres://localhost" }, "AMQP_CA"],
        [
            {
                AMQP_CA: fileURLToPath(import.meta.url),
                MESSAGE_BUS_URL: "amqp://localhost",
                STATE_URL: "postgres://localhost",
            },
            "AMQP_CA",
        ],
        [{ AMQP_CA: fileURLToPath(import.meta.url) }, "AMQP_CA"],
        // regression: these passed check-config and failed at the first connection, without the name of the setting
        [{ NATS_CA: fileURLToPath(import.meta.url), MESSAGE_BUS_URL: "tls://localhost" }, "NATS_CA"],
        [{ NATS_CREDS: fileURLToPath(import.meta.url), MESSAGE_BUS_URL: "nats://localhost" }, "NATS_CREDS"],
        [{ NATS_NKEY_SEED: "SUgarbage", MESSAGE_BUS_URL: "nats://localhost" }, "NATS_NKEY_SEED"],
        [{ NATS_NKEY_SEED: accountSeed, MESSAGE_BUS_URL: "nats://localhost" }, "NATS_NKEY_SEED"],
        [{ EVENT_SIGNING_KEYS: "one:x" }, "EVENT_SIGNING_KEYS"],
        [{ WEBHOOK_URL: "https://example.com", WEBHOOK_SECRET: "x" }, "WEBHOOK_SECRET"],
        [{ WEBHOOK_URL: "example", WEBHOOK_SECRET: "shared-secret" }, "WEBHOOK_URL"],
    ]) {
        it.effect(`an invalid value of ${name} is an error`, () => Effect.gen(function* () {
            const faults = yield* faultsOf(env);
            assert.lengthOf(faults, 1);
            assert.isTrue(faults[0]?.startsWith(`${name} `), faults[0]);
        }));
    }
    it.effect("NAME_FILE reads the value from a file; NAME and NAME_FILE together are an error", () => Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem;
        const file = yield* fs.makeTempFileScoped();
        yield* fs.writeFileString(file, "a secret from a mounted file\n");
        const { JWT_SECRET } = yield* read({ JWT_SECRET_FILE: file });
        assert.strictEqual(JWT_SECRET && Redacted.value(JWT_SECRET), "a secret from a mounted file");
        assert.match((yield* faultsOf({ JWT_SECRET_FILE: file, JWT_SECRET: "x".repeat(32) })).join(), /both set/);
        assert.match((yield* faultsOf({ PORT_FILE: `${file}-gone` })).join(), /cannot be read/);
    }).pipe(Effect.provide(NodeServices.layer)));
    it.effect("EVENT_SOURCES rejects reserved sources and unknown event types", () => Effect.gen(function* () {
        assert.match((yield* faultsOf({ EVENT_SOURCES: '{"media":["media.uploaded"]}' })).join(), /reserved for Armoricore/);
        assert.match((yield* faultsOf({ EVENT_SOURCES: '{"php":["media.upload"]}' })).join(), /"media.upload"/);
    }));
    it.effect("durations are parsed with and without a unit", () => Effect.gen(function* () {
        const settings = yield* read({ RETRY_BASE: "250 ms", RETRY_CAP: "2", DRAIN_TIMEOUT: "1m" });
        assert.deepStrictEqual([settings.RETRY_BASE, settings.RETRY_CAP, settings.DRAIN_TIMEOUT].map(Duration.toMillis), [250, 2000, 60_000]);
    }));
    it.effect("check-config prints no secret", () => Effect.gen(function* () {
        const printed = Settings.describe(yield* read({
            JWT_SECRET: "s3cr3t-s3cr3t-s3cr3t",
            EVENT_SIGNING_KEYS: "one:s3cr3t-1",
            MESSAGE_BUS_URL: "nats://user:s3cr3t@localhost,nats://user:s3cr3t@other",
            SMTP_URL: "smtp://user:s3cr3t@localhost",
            MAIL_FROM: "a@example.com",
        })).join("\n");
        assert.notMatch(printed, /s3cr3t/);
        assert.match(printed, /JWT_SECRET=<redacted>/);
        assert.match(printed, /EVENT_SIGNING_KEYS=one:<redacted>/);
    }));
    it(".env.example is current (npm run docs:env)", () => {
        const written = readFileSync(new URL("../../../../.env.example", import.meta.url), "utf8");
        assert.strictEqual(written, envExample());
    });
});
