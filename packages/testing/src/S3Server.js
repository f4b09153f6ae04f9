/**
 * A real S3 endpoint in this process, on a free port and a temporary folder. Signatures are checked. It
 * ignores `If-None-Match`, takes `bytes=0-0` for the whole, does not sort `a` before `a/b` and keeps no part of a key that is too long for a file name.
 */
import { createServer } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Context, Effect, Layer, Redacted } from "effect";
import S3rver from "s3rver";
import { listen } from "./LocalPort.ts";
import { verify } from "./SignatureV4.ts";
export class S3Server extends Context.Service()("@armoricore/testing/S3Server") {
    /** `buckets` are there from the start, readable and writable by pages of any origin. */
    static layer = (options) => Layer.effect(S3Server, Effect.gen(function* () {
        const directory = yield* Effect.acquireRelease(Effect.promise(() => mkdtemp(join(tmpdir(), "armoricore-s3-"))), (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true })));
        const store = new S3rver({
            directory,
            silent: true,
            vhostBuckets: false,
            configureBuckets: options.buckets.map((name) => ({ name, configs: [cors] })),
        });
        yield* Effect.promise(() => store.configureBuckets());
        const answer = store.callback();
        const server = createServer((request, response) => {
            // A browser's question before the request is not signed.
            const code = request.method === "OPTIONS" ? undefined : verify(request, secret, Date.now());
            if (code === undefined)
                return answer(request, response);
            request.resume();
            response.writeHead(403, { "content-type": "application/xml" });
            return response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>refused</Message></Error>`);
        });
        const port = yield* listen(server);
        return {
            endpoint: `http://127.0.0.1:${port}`,
            region: "us-east-1",
            accessKey: secret,
            secretKey: Redacted.make(secret),
        };
    }));
}
/** The one account that s3rver knows. */
const secret = "S3RVER";
const cors = `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <CORSRule>
    <AllowedOrigin>*</AllowedOrigin>
    <AllowedMethod>GET</AllowedMethod>
    <AllowedMethod>HEAD</AllowedMethod>
    <AllowedMethod>PUT</AllowedMethod>
    <AllowedHeader>*</AllowedHeader>
    <ExposeHeader>ETag</ExposeHeader>
  </CORSRule>
</CORSConfiguration>`;
