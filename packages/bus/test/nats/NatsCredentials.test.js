/** NATS_CREDS: a server in operator mode knows accounts and users by their signed JWTs alone. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as NatsServer from "@armoricore/testing/NatsServer";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Logger, Queue, Redacted } from "effect";
import { nkeys } from "nats";
import * as Address from "../../src/Address.ts";
import { EventBus } from "../../src/EventBus.ts";
import * as NatsBus from "../../src/nats/NatsBus.ts";
const program = Programs.requireProgram("nats-server");
const maxBytes = 16 * 1024 ** 2;
const from = Address.event("media.ready");
const base64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
/** As `nsc` signs them. */
const jwt = (signer, subject, nats) => {
    const [iss, sub] = [signer.getPublicKey(), subject.getPublicKey()];
    const claims = { jti: crypto.randomUUID(), iat: Math.floor(Date.now() / 1000), iss, sub, name: sub, nats };
    const signed = `${base64({ typ: "JWT", alg: "ed25519-nkey" })}.${base64(claims)}`;
    return `${signed}.${Buffer.from(signer.sign(Buffer.from(signed))).toString("base64url")}`;
};
const boundless = { subs: -1, data: -1, payload: -1 };
const userOf = (account) => {
    const user = nkeys.createUser();
    const claims = { type: "user", version: 2, pub: {}, sub: {}, ...boundless };
    return Redacted.make(`-----BEGIN NATS USER JWT-----
${jwt(account, user, claims)}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${new TextDecoder().decode(user.getSeed())}
------END USER NKEY SEED------
`);
};
const operated = Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(Effect.sync(() => mkdtempSync(join(tmpdir(), "nats-operator-"))), (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })));
    const [operator, system, account] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createAccount()];
    const limits = { ...boundless, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
    const storage = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
    const accountJwt = (of, more) => `${of.getPublicKey()}: ${jwt(operator, of, { type: "account", version: 2, limits: { ...limits, ...more } })}`;
    const conf = join(folder, "nats.conf");
    writeFileSync(conf, `operator: ${jwt(operator, operator, { type: "operator", version: 2 })}
system_account: ${system.getPublicKey()}
resolver: MEMORY
resolver_preload: {
  ${accountJwt(system, {})}
  ${accountJwt(account, storage)}
}
`);
    const { url } = yield* NatsServer.make(["-c", conf]);
    return { account, servers: [url] };
});
describe.skipIf(program.missing)("a NATS server in operator mode", () => {
    it.live("takes the credentials of its accounts' users, and refuses a stranger's or unreadable ones by the setting's name", () => Effect.gen(function* () {
        const { account, servers } = yield* operated;
        yield* Effect.gen(function* () {
            const bus = yield* EventBus;
            yield* bus.setup([{ name: "worker", from }]);
            const got = yield* Queue.unbounded();
            yield* bus.consume({ name: "worker", from, concurrency: 1 }, ({ id }) => Effect.as(Queue.offer(got, id), { _tag: "Ack" }));
            yield* bus.publish({ address: from, id: "a", body: new Uint8Array() });
            assert.strictEqual(yield* Effect.timeout(Queue.take(got), "20 seconds"), "a");
        }).pipe(Effect.scoped, Effect.provide(NatsBus.layerWithConnection({ servers, maxBytes, creds: userOf(account) })));
        for (const wrong of [
            { creds: userOf(nkeys.createAccount()) },
            { creds: Redacted.make("no credentials at all") },
            { nkeySeed: Redacted.make("SUNOSEED") },
        ]) {
            const refused = yield* Effect.flip(Effect.provide(Effect.flatMap(EventBus, (bus) => bus.setup([])), NatsBus.layerWithConnection({ servers, maxBytes, ...wrong })));
            assert.strictEqual(refused._tag, "ConfigurationError");
            assert.include(refused.message, "NATS_CREDS");
        }
    }).pipe(Effect.provide(Logger.layer([]))));
});
