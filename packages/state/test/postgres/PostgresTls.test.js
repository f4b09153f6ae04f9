import { KeyValue } from "@armoricore/state/KeyValue";
import * as PostgresState from "@armoricore/state/postgres/PostgresState";
import * as TestCertificate from "@armoricore/testing/fakes/TestCertificate";
import * as PostgresServer from "@armoricore/testing/PostgresServer";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Option, Redacted } from "effect";
const bucket = { name: "things", maxAge: "never" };
describe.skipIf(Programs.requireProgram("postgres").missing)("PostgreSQL behind TLS", () => {
    it.live("takes the server whose authority it knows, and refuses any other", () => Effect.gen(function* () {
        const { url } = yield* PostgresServer.make({ tls: true });
        const used = Effect.gen(function* () {
            const state = yield* KeyValue;
            yield* state.setup([bucket]);
            yield* state.put(bucket, "a", "x");
            return Option.map(yield* state.get(bucket, "a"), ({ value }) => value);
        });
        const through = (query, ca) => used.pipe(Effect.provide(PostgresState.layer({ url: Redacted.make(`${url}${query}`), ...(ca === undefined ? {} : { ca }) })));
        assert.deepStrictEqual(yield* through("", TestCertificate.certificate), Option.some("x"));
        const unknown = yield* Effect.flip(through("?sslmode=require"));
        assert.include(unknown.message, "self-signed certificate");
        const plain = yield* Effect.flip(through("?sslmode=disable"));
        assert.include(plain.message, "no encryption");
    }));
});
