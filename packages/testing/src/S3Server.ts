/**
 * A real S3 endpoint in this process, on a free port and a temporary folder. It checks signatures, ranges and multipart
 * uploads; it ignores `If-None-Match`.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer, Redacted } from "effect"
import S3rver from "s3rver"

export class S3Server extends Context.Service<
  S3Server,
  {
    /** For example `http://127.0.0.1:40123`. */
    readonly endpoint: string
    readonly region: string
    readonly accessKey: string
    readonly secretKey: Redacted.Redacted<string>
  }
>()("@armoricore/testing/S3Server") {
  /** `buckets` are there from the start, readable and writable by pages of any origin. */
  static readonly layer = (options: { readonly buckets: ReadonlyArray<string> }): Layer.Layer<S3Server> =>
    Layer.effect(
      S3Server,
      Effect.gen(function* () {
        const directory = yield* Effect.acquireRelease(
          Effect.promise(() => mkdtemp(join(tmpdir(), "armoricore-s3-"))),
          (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true })),
        )
        const server = new S3rver({
          address: "127.0.0.1",
          port: 0,
          directory,
          silent: true,
          resetOnClose: false,
          vhostBuckets: false,
          allowMismatchedSignatures: false,
          configureBuckets: options.buckets.map((name) => ({ name, configs: [cors] })),
        })
        const { port } = yield* Effect.acquireRelease(
          Effect.promise(() => server.run()),
          () => Effect.promise(() => server.close()),
        )
        return {
          endpoint: `http://127.0.0.1:${port}`,
          region: "us-east-1",
          accessKey: "S3RVER",
          secretKey: Redacted.make("S3RVER"),
        }
      }),
    )
}

const cors = `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <CORSRule>
    <AllowedOrigin>*</AllowedOrigin>
    <AllowedMethod>GET</AllowedMethod>
    <AllowedMethod>HEAD</AllowedMethod>
    <AllowedMethod>PUT</AllowedMethod>
    <AllowedHeader>*</AllowedHeader>
    <ExposeHeader>ETag</ExposeHeader>
  </CORSRule>
</CORSConfiguration>`
