/** A WebSocket over TLS: the frames that bypass `ws` pass through the TLS socket, whole and in order. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as Programs from "@armoricore/testing/Programs";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { WebSocket } from "ws";
import { RawClient, start } from "../support/TestServer.ts";
const openssl = Programs.requireProgram("openssl");
/** A self-signed certificate. */
const certificate = Effect.acquireRelease(Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "armoricore-tls-"));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
    execFileSync(openssl.path, [...args, "-subj", "/CN=localhost", "-keyout", key, "-out", cert], { stdio: "ignore" });
    return { folder, key: readFileSync(key), cert: readFileSync(cert) };
}), ({ folder }) => Effect.sync(() => rmSync(folder, { recursive: true })));
describe.skipIf(openssl.missing)("over TLS", () => {
    it.live("a client joins, receives many large broadcasts in order, and receives the close code", () => Effect.gen(function* () {
        const { key, cert } = yield* certificate;
        const server = yield* start();
        const secure = createServer({ key, cert });
        secure.on("upgrade", server.endpoint.handleUpgrade);
        secure.listen(0, "127.0.0.1");
        yield* Effect.promise(() => once(secure, "listening"));
        yield* Effect.addFinalizer(() => Effect.sync(() => secure.close()));
        const address = secure.address();
        const port = typeof address === "object" && address !== null ? address.port : 0;
        const token = yield* server.token("u1");
        // A variable of its own, because the types of `ws` lack some of the TLS options that it passes on.
        const options = { ca: cert, servername: "localhost" };
        const ws = new WebSocket(`wss://127.0.0.1:${port}/socket/websocket?vsn=2.0.0&token=${token}`, [], options);
        yield* Effect.addFinalizer(() => Effect.sync(() => ws.terminate()));
        const client = new RawClient(ws);
        yield* Effect.promise(() => once(ws, "open"));
        client.send("1", "1", "room:a", "phx_join", {});
        yield* client.next;
        for (let n = 0; n < 300; n++)
            server.topics.deliver("room:a", "said", { text: `${n} ${"x".repeat(2000)}` });
        for (let n = 0; n < 300; n++)
            assert.include(String((yield* client.next)[4]["text"]), `${n} `);
        yield* server.revocations.revoke({ userId: "u1" });
        assert.deepStrictEqual(yield* client.close, { code: 4001, reason: "revoked" });
    }));
});
