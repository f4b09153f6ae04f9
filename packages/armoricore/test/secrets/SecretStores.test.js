import * as TestCertificate from "@armoricore/testing/fakes/TestCertificate";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it } from "@effect/vitest";
import { ConfigProvider, Effect, Redacted } from "effect";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { Settings } from "../../src/settings/Settings.ts";
import { retryUntil } from "../support/ApiClient.ts";
import * as ProgramProcess from "../support/ProgramProcess.ts";
import * as Renewed from "../support/RenewedCertificate.ts";
import * as FakeSecretStores from "../support/FakeSecretStores.ts";
const read = (env) => Settings.pipe(Effect.provide(Settings.layer), Effect.provide(NodeServices.layer), Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))));
const secretText = (settings) => settings.JWT_SECRET === undefined ? undefined : Redacted.value(settings.JWT_SECRET);
const fields = { JWT_SECRET: "from-the-store-0123456789", RETRY_MAX_ATTEMPTS: 9 };
describe("settings in Vault", () => {
    for (const [version, path] of [
        ["version 2", "secret/data/armoricore"],
        ["version 1", "kv/armoricore"],
    ]) {
        it.live(`reads a secret of ${version} of the engine with a token`, () => Effect.gen(function* () {
            const vault = yield* FakeSecretStores.vault();
            yield* vault.write(fields);
            const settings = yield* read({ VAULT_ADDR: vault.address, VAULT_SECRET: path, VAULT_TOKEN: "good-token" });
            assert.strictEqual(secretText(settings), fields.JWT_SECRET);
            assert.strictEqual(settings.RETRY_MAX_ATTEMPTS, 9);
        }));
    }
    it.live("the environment overrides the store", () => Effect.gen(function* () {
        const vault = yield* FakeSecretStores.vault();
        yield* vault.write(fields);
        const settings = yield* read({
            VAULT_ADDR: vault.address,
            VAULT_SECRET: "secret/data/armoricore",
            VAULT_TOKEN: "good-token",
            RETRY_MAX_ATTEMPTS: "3",
        });
        assert.strictEqual(settings.RETRY_MAX_ATTEMPTS, 3);
        assert.strictEqual(secretText(settings), fields.JWT_SECRET);
    }));
    it.live("a pod logs in with its service account", () => Effect.gen(function* () {
        const vault = yield* FakeSecretStores.vault();
        yield* vault.write(fields);
        const jwt = join(yield* ProgramProcess.temporaryDirectory, "token");
        writeFileSync(jwt, "pod-jwt\n");
        const place = { VAULT_ADDR: vault.address, VAULT_SECRET: "secret/data/armoricore", VAULT_JWT_PATH: jwt };
        assert.strictEqual(secretText(yield* read({ ...place, VAULT_ROLE: "armoricore" })), fields.JWT_SECRET);
        const refused = yield* Effect.flip(read({ ...place, VAULT_ROLE: "other" }));
        assert.match(refused.message, /^Vault denied the role other to this pod's service account; bind/);
    }));
    it.live("the start waits for a sealed Vault", () => Effect.gen(function* () {
        const vault = yield* FakeSecretStores.vault({ busy: 2 });
        yield* vault.write(fields);
        const settings = yield* read({
            VAULT_ADDR: vault.address,
            VAULT_SECRET: "secret/data/armoricore",
            VAULT_TOKEN: "good-token",
        });
        assert.strictEqual(secretText(settings), fields.JWT_SECRET);
    }));
    for (const [fault, env, message] of [
        ["a token that may not read it", { VAULT_TOKEN: "bad-token" }, /^Vault denied access to secret\/data\/armoricore/],
        [
            "a path that does not exist",
            { VAULT_SECRET: "secret/armoricore" },
            /^VAULT_SECRET names secret\/armoricore, which/,
        ],
        ["neither token nor role", { VAULT_TOKEN: undefined }, /^VAULT_ADDR needs either VAULT_TOKEN or VAULT_ROLE/],
        ["both token and role", { VAULT_ROLE: "armoricore" }, /^VAULT_ADDR needs either VAULT_TOKEN or VAULT_ROLE/],
        ["no path", { VAULT_SECRET: undefined }, /^VAULT_SECRET is missing: Vault is only partly configured/],
        ["AWS beside it", { AWS_SECRET_ID: "prod/armoricore" }, /^AWS_SECRET_ID and VAULT_ADDR are both set/],
    ]) {
        it.live(`${fault} is an error at startup`, () => Effect.gen(function* () {
            const vault = yield* FakeSecretStores.vault();
            const all = {
                VAULT_ADDR: vault.address,
                VAULT_SECRET: "secret/data/armoricore",
                VAULT_TOKEN: "good-token",
                ...env,
            };
            const set = Object.entries(all).flatMap(([name, text]) => (text === undefined ? [] : [[name, text]]));
            assert.match((yield* Effect.flip(read(Object.fromEntries(set)))).message, message);
        }));
    }
});
describe("settings in AWS Secrets Manager", () => {
    const keys = { AWS_ACCESS_KEY_ID: "fake-id", AWS_SECRET_ACCESS_KEY: "fake-secret" };
    const said = (text, env = {}) => Effect.gen(function* () {
        const endpoint = yield* FakeSecretStores.secretsManager(text);
        return yield* ProgramProcess.run(["check-config"], {
            AWS_SECRET_ID: "prod/armoricore",
            AWS_REGION: "eu-west-1",
            AWS_SECRETS_ENDPOINT: endpoint,
            ...keys,
            ...env,
        });
    });
    it.live("the fields of a secret become settings, and are not printed", () => Effect.gen(function* () {
        const { code, stdout } = yield* said(JSON.stringify(fields));
        assert.strictEqual(code, 0);
        assert.include(stdout, "RETRY_MAX_ATTEMPTS=9");
        assert.include(stdout, "JWT_SECRET=<redacted>");
        assert.notInclude(stdout, fields.JWT_SECRET);
    }));
    for (const [fault, text, env, message] of [
        [
            "a secret that does not exist",
            "{}",
            { AWS_SECRET_ID: "other" },
            /secret other does not exist; check AWS_SECRET_ID/,
        ],
        ["keys that do not sign", "{}", { AWS_SECRET_ACCESS_KEY: "wrong" }, /the AWS secret access key is wrong/],
        ["a secret that is no object", "just-a-password", {}, /is not a JSON object of names and values/],
    ]) {
        it.live(`${fault} is an error at startup`, () => Effect.gen(function* () {
            const { code, stderr } = yield* said(text, env);
            assert.strictEqual(code, 1);
            assert.match(stderr, message);
        }));
    }
});
describe("rotation", () => {
    const commonName = (port) => Effect.callback((resume) => {
        const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
            resume(Effect.succeed(String(socket.getPeerCertificate().subject.CN)));
            socket.destroy();
        });
        socket.on("error", (error) => resume(Effect.fail(error)));
    });
    it.live("reloads a replaced certificate without a restart, also when its key is replaced later", () => Effect.gen(function* () {
        const folder = yield* ProgramProcess.temporaryDirectory;
        const [cert, key] = [join(folder, "tls.crt"), join(folder, "tls.key")];
        writeFileSync(cert, TestCertificate.certificate);
        writeFileSync(key, TestCertificate.privateKey);
        const program = yield* ProgramProcess.launch(["start"], {
            ARMORICORE_DATA_DIR: join(folder, "data"),
            PORT: "0",
            TLS_CERT: cert,
            TLS_KEY: key,
            SETTINGS_REFRESH_INTERVAL: "100 ms",
        });
        const [, port = ""] = yield* program.waitForOutput(/\(port ([0-9]+)\)/);
        assert.strictEqual(yield* commonName(Number(port)), "localhost");
        writeFileSync(join(folder, "new"), Renewed.certificate);
        renameSync(join(folder, "new"), cert);
        yield* program.waitForOutput(/cannot reload the TLS certificate; the old one stays in use: TLS_CERT and TLS_KEY are not/);
        assert.strictEqual(yield* commonName(Number(port)), "localhost");
        writeFileSync(key, Renewed.privateKey);
        yield* program.waitForOutput(/reloaded the TLS certificate/);
        assert.strictEqual(yield* commonName(Number(port)), "renewed");
    }));
    it.live("with SETTINGS_ON_CHANGE=drain a change in the store drains and ends the program", () => Effect.gen(function* () {
        const vault = yield* FakeSecretStores.vault();
        yield* vault.write(fields);
        const program = yield* ProgramProcess.launch(["start"], {
            ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
            PORT: "0",
            VAULT_ADDR: vault.address,
            VAULT_SECRET: "secret/data/armoricore",
            VAULT_TOKEN: "good-token",
            SETTINGS_REFRESH_INTERVAL: "100 ms",
            SETTINGS_ON_CHANGE: "drain",
        });
        yield* program.waitForOutput(/armoricore listens on/);
        yield* vault.write({ ...fields, JWT_SECRET: "another-secret-0123456789" });
        const { code, stderr, stdout } = yield* program.exited;
        assert.strictEqual(code, 0);
        assert.include(stdout + stderr, "JWT_SECRET changed; draining");
        assert.notInclude(stdout + stderr, "another-secret");
    }));
    it.live("by default a changed mounted file logs the name of its setting, and the program continues", () => Effect.gen(function* () {
        const folder = yield* ProgramProcess.temporaryDirectory;
        const file = join(folder, "jwt");
        writeFileSync(file, "first-secret-0123456789");
        const program = yield* ProgramProcess.launch(["start"], {
            ARMORICORE_DATA_DIR: join(folder, "data"),
            PORT: "0",
            JWT_SECRET_FILE: file,
            SETTINGS_REFRESH_INTERVAL: "100 ms",
        });
        const [, url = ""] = yield* program.waitForOutput(/armoricore listens on (\S+)/);
        writeFileSync(file, "second-secret-0123456789");
        yield* program.waitForOutput(/JWT_SECRET changed; restart the program/);
        const ready = yield* retryUntil(Effect.tryPromise(() => fetch(`${url}/readyz`)), ({ status }) => status === 200);
        assert.strictEqual(ready.status, 200);
    }));
});
