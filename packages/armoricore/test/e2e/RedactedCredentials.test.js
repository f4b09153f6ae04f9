/**
 * Credentials of bus and state in URLs, seeds and files. A program at the most verbose log level, whose servers disappear
 * or reject it, reveals none of them in logs, metrics, spans or its final error.
 */
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as PostgresServer from "@armoricore/testing/PostgresServer";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { nkeys } from "nats";
import { request, retryUntil } from "../support/ApiClient.ts";
import * as OtlpCollector from "../support/OtlpCollector.ts";
import * as ProgramFixture from "../support/ProgramFixture.ts";
import * as ProgramProcess from "../support/ProgramProcess.ts";
const nats = Programs.requireProgram("nats-server");
const postgres = Programs.requireProgram("postgres");
/** Characters that a URL must encode. */
const password = "pass/word:of@the#bus";
const ofState = "pass?word&of/the=state";
const hides = (texts, secrets) => {
    for (const secret of secrets.flatMap((each) => [each, encodeURIComponent(each)])) {
        for (const [where, text] of Object.entries(texts)) {
            const at = text.indexOf(secret);
            assert.strictEqual(at === -1 ? "" : text.slice(Math.max(0, at - 200), at + 60), "", `${secret} in ${where}`);
        }
    }
};
/** All output of the program, from its start over the loss of its servers to its exit. */
const life = Effect.fnUntraced(function* (own, lose) {
    const collector = yield* OtlpCollector.start;
    const env = {
        ARMORICORE_DATA_DIR: yield* ProgramProcess.temporaryDirectory,
        JWT_SECRET: "a secret of this test, long enough for it",
        LOG_LEVEL: "trace",
        LOG_FORMAT: "json",
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        ...own,
    };
    const { program, url } = yield* ProgramFixture.start(env);
    const token = yield* ProgramFixture.tokenFor(env, "--user", "php", "--role", "publisher");
    const publish = request(`${url}/v1/events?token=${token}`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify({
            event_type: "notification.requested",
            event_id: crypto.randomUUID(),
            timestamp: new Date().toISOString(),
            source: "php-backend",
            payload: { user_id: "u", notification_type: "email", title: "t", body: "b", data: { email: "a@example.com" } },
        }),
    });
    assert.strictEqual((yield* publish).status, 202);
    yield* lose;
    const ready = yield* retryUntil(request(`${url}/readyz`), ({ json }) => JSON.stringify(json).includes("not connected"));
    const refused = yield* publish;
    assert.strictEqual(refused.status, 503);
    const page = yield* request(`${url}/metrics`);
    yield* program.signal("SIGTERM");
    const { stderr, stdout } = yield* program.exited;
    assert.include(stderr, '"level":"debug"');
    return {
        token,
        texts: {
            log: stdout + stderr,
            metrics: String(page.json),
            answers: JSON.stringify([ready.json, refused.json]),
            ...Object.fromEntries(["traces", "metrics", "logs"].map((name) => [`exported ${name}`, collector.textOf(name)])),
        },
    };
});
describe.skipIf(nats.missing)("credentials of the bus and the state stay secret", () => {
    it.live.skipIf(postgres.missing)("passwords in MESSAGE_BUS_URL and STATE_URL", () => Effect.gen(function* () {
        const server = yield* NatsServer.make(["--user", "armo", "--pass", password]);
        const retained = yield* PostgresServer.make();
        const { token, texts } = yield* life({
            MESSAGE_BUS_URL: server.url.replace("//", `//armo:${encodeURIComponent(password)}@`),
            STATE_URL: retained.url.replace("armoricore@", `armoricore:${encodeURIComponent(ofState)}@`),
        }, Effect.andThen(retained.kill, server.kill));
        hides(texts, [password, ofState, token]);
    }), 120_000);
    it.live("NATS_NKEY_SEED", () => Effect.gen(function* () {
        const user = nkeys.createUser();
        const conf = join(yield* ProgramProcess.temporaryDirectory, "nats.conf");
        writeFileSync(conf, `authorization { users: [{ nkey: ${user.getPublicKey()} }] }\n`);
        const server = yield* NatsServer.make(["-c", conf]);
        const seed = new TextDecoder().decode(user.getSeed());
        const { texts, token } = yield* life({ MESSAGE_BUS_URL: server.url, NATS_NKEY_SEED: seed }, server.kill);
        hides(texts, [seed, token]);
    }), 120_000);
    it.live("with rejected credentials and unreachable servers, for every command", () => Effect.gen(function* () {
        const folder = yield* ProgramProcess.temporaryDirectory;
        const server = yield* NatsServer.make(["--user", "armo", "--pass", "another one"]);
        const seed = new TextDecoder().decode(nkeys.createUser().getSeed());
        const creds = join(folder, "user.creds");
        const jwt = "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJzdWIiOiJVIn0.c2lnbmF0dXJl";
        writeFileSync(creds, `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`);
        const spoiled = join(folder, "spoiled.creds");
        writeFileSync(spoiled, `not credentials at all ${seed}\n`);
        const [bus, state] = [encodeURIComponent(password), encodeURIComponent(ofState)];
        const environments = [
            { MESSAGE_BUS_URL: server.url.replace("//", `//armo:${bus}@`) },
            { MESSAGE_BUS_URL: server.url, NATS_NKEY_SEED: seed },
            { MESSAGE_BUS_URL: server.url, NATS_CREDS: creds },
            { MESSAGE_BUS_URL: server.url, NATS_CREDS: spoiled },
            { MESSAGE_BUS_URL: server.url, NATS_NKEY_SEED: seed.slice(0, 40) },
            { MESSAGE_BUS_URL: `amqp://armo:${bus}@127.0.0.1:9`, STATE_URL: `postgres://armo:${state}@127.0.0.1:9/db` },
            {
                MESSAGE_BUS_URL: server.url.replace("//", "//armo:another%20one@"),
                STATE_URL: `postgres://127.0.0.1:9/db?user=armo&password=${state}`,
            },
            // A syntax error: no message quotes the URL.
            { MESSAGE_BUS_URL: `nats//armo:${bus}@127.0.0.1:9`, STATE_URL: `postgre://armo:${state}@127.0.0.1:9/db` },
        ];
        // Commands wait for unreachable servers. With `debug` their final error includes its causes.
        const asked = environments.flatMap((own, index) => ["check-config", index < 6 ? "setup" : "doctor"].map((command) => ({ command, index, own })));
        const ask = Effect.fnUntraced(function* ({ command, index, own }) {
            const env = {
                ARMORICORE_DATA_DIR: folder,
                JWT_SECRET: "a secret of this test, long enough for it",
                LOG_LEVEL: "debug",
                ...own,
            };
            const { stderr, stdout } = yield* ProgramProcess.run([command], env);
            assert.isAbove((stdout + stderr).length, 20);
            hides({ [`${command} with ${index}`]: stdout + stderr }, [password, ofState, seed, seed.slice(0, 40), jwt]);
        });
        yield* Effect.forEach(asked, ask, { concurrency: 3, discard: true });
    }), 180_000);
});
