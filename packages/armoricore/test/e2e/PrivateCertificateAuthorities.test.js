/** RabbitMQ and PostgreSQL with certificates of a private CA, which the settings name. */
import * as GeneratedCertificate from "@armoricore/testing/GeneratedCertificate";
import * as TestCertificate from "@armoricore/testing/fakes/TestCertificate";
import * as PostgresServer from "@armoricore/testing/PostgresServer";
import * as Programs from "@armoricore/testing/Programs";
import * as RabbitServer from "@armoricore/testing/RabbitServer";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as ProgramProcess from "../support/ProgramProcess.ts";
const needs = ["rabbitmq-server", "postgres", "openssl"].map((program) => Programs.requireProgram(program));
const openssl = Programs.requireProgram("openssl");
describe.skipIf(needs.some(({ missing }) => missing))("private certificate authorities", () => {
    it.live("AMQP_CA and STATE_CA let the program reach its servers over TLS; without them it does not trust them", () => Effect.gen(function* () {
        const tls = yield* GeneratedCertificate.make(openssl.path);
        const rabbit = yield* RabbitServer.make({ virtualHosts: 1, tls });
        const postgres = yield* PostgresServer.make({ tls: true });
        const data = yield* ProgramProcess.temporaryDirectory;
        const authority = join(data, "state-ca.pem");
        writeFileSync(authority, TestCertificate.certificate);
        const bus = (yield* rabbit.newUrl)
            .replace("amqp://", "amqps://")
            .replace(`127.0.0.1:${rabbit.port}`, `localhost:${rabbit.tlsPort}`);
        const env = { ARMORICORE_DATA_DIR: data, MESSAGE_BUS_URL: bus, STATE_URL: postgres.url };
        const own = { AMQP_CA: tls.cert, STATE_CA: authority };
        const done = yield* ProgramProcess.run(["setup"], { ...env, ...own });
        assert.strictEqual(done.code, 0, done.stderr);
        assert.include(done.stdout, "queue armoricore.schema: schema 1");
        const refused = yield* ProgramProcess.run(["setup"], { ...env, STATE_CA: authority });
        assert.strictEqual(refused.code, 1);
        assert.include(refused.stderr, "its certificate is self-signed; set AMQP_CA");
    }), 60_000);
});
