/** Resumable uploads over HTTP: the official client on a bad line, two nodes, checksums, and requests that are wrong. */
import { createHash, randomBytes } from "node:crypto"
import { connect } from "node:net"
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus"
import * as TusHandlers from "@armoricore/api/tus/TusHandlers"
import * as UploadToken from "@armoricore/domain/UploadToken"
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory"
import * as Collection from "@armoricore/state/Collection"
import { resumableUploads } from "@armoricore/state/ResumableUploads"
import { eventually } from "@armoricore/testing/Eventually"
import * as TcpProxy from "@armoricore/testing/TcpProxy"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import { HttpServer } from "effect/http"
import { apiRoutes, apiServer, signToken, tokenKey } from "../support/ApiServer.ts"
import * as TusClient from "../support/TusClient.ts"
import {
  create,
  encodedMetadata,
  leftovers,
  metadata,
  offsetOf,
  patch,
  port,
  portOf,
  readFile,
  request,
  resumable,
  server,
} from "../support/TusRequests.ts"

describe("/v1/uploads/tus", () => {
  it.live("stores a file that tus-js-client sends through a proxy that cuts every 200 KB", () =>
    Effect.gen(function* () {
      const content = randomBytes(2_500_000)
      const proxy = yield* TcpProxy.make(yield* port, { cutAfterBytes: 200_000 })
      const token = yield* signToken("u1")
      let interruptions = 0
      const last = yield* TusClient.upload(new Blob([content]), {
        onShouldRetry: () => ++interruptions > 0,
        endpoint: `http://127.0.0.1:${proxy.port}/v1/uploads/tus`,
        headers: { authorization: `Bearer ${token}` },
        metadata,
      })
      const file = {
        media_id: last.getHeader("armoricore-media-id"),
        file_path: last.getHeader("armoricore-file-path"),
      }
      const { bytes, info } = yield* readFile(file.file_path)
      assert.isTrue(bytes.equals(content))
      assert.strictEqual(info.contentType, "video/mp4")
      assert.match(file.file_path ?? "", /^s3:\/\/media\/uploads\/u1\/[0-9a-f-]{36}\/My-film.mp4$/)
      const upload = { media_id: file.media_id ?? "", file_path: file.file_path ?? "", user_id: "u1" }
      assert.isTrue(UploadToken.isValid(tokenKey, upload, last.getHeader("armoricore-upload-token") ?? ""))
      assert.deepStrictEqual(yield* leftovers, [])
      assert.isAtLeast(interruptions, 9)
    }).pipe(Effect.provide(server)),
  )

  it.live("hands an upload over to another node while the first request still hangs", () =>
    Effect.gen(function* () {
      const content = randomBytes(1_500_000)
      const token = yield* signToken("u1")
      const { filePath, path } = yield* create(token, content.byteLength)
      const other = yield* Layer.build(
        Layer.fresh(apiRoutes({}, resumable).pipe(Layer.provideMerge(NodeHttpServer.layerTest))),
      )
      const second = { port: portOf(Context.get(other, HttpServer.HttpServer)) }
      // A client whose line went silent in the middle of a body.
      const socket = connect(yield* port, "127.0.0.1")
      const answered: Array<string> = []
      socket.on("data", (chunk) => answered.push(chunk.toString()))
      socket.on("error", () => {})
      yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
      socket.write(
        [
          `PATCH ${path} HTTP/1.1`,
          "host: 127.0.0.1",
          `authorization: Bearer ${token}`,
          "tus-resumable: 1.0.0",
          "upload-offset: 0",
          "content-type: application/offset+octet-stream",
          `content-length: ${content.byteLength}`,
          "",
          "",
        ].join("\r\n"),
      )
      socket.write(content.subarray(0, 700_000))
      const uploads = yield* Collection.make(resumableUploads)
      const id = path.slice(-36)
      yield* eventually(
        Effect.map(uploads.get(id), (found) => Option.exists(found, ({ value }) => value.offset >= 512 * 1024)),
      )
      // A request that cannot fit does not end it.
      assert.strictEqual((yield* patch(path, token, 1, content)).status, 409)
      assert.deepStrictEqual(answered, [])
      const offset = yield* offsetOf(path, token, second)
      assert.strictEqual(offset, 700_000)
      yield* eventually(() => answered.join("").includes("HTTP/1.1 423"))
      const rest = yield* request("PATCH", path, {
        ...second,
        token,
        body: new Uint8Array(content.subarray(offset)),
        headers: { "content-type": "application/offset+octet-stream", "upload-offset": String(offset) },
      })
      assert.strictEqual(rest.status, 204)
      assert.isTrue((yield* readFile(filePath)).bytes.equals(content))
      assert.strictEqual(yield* offsetOf(path, token), content.byteLength)
    }).pipe(Effect.provide(server)),
  )

  it.live("takes over from a node that died once its lease has run out", () =>
    Effect.gen(function* () {
      const token = yield* signToken("u1")
      const { id, path } = yield* create(token, 10)
      const uploads = yield* Collection.make(resumableUploads)
      const { value } = Option.getOrThrow(yield* uploads.get(id))
      const lock = { holder: "dead", until: Date.now() + 300, is_wanted: false }
      yield* uploads.put(id, { ...value, lock })
      assert.strictEqual((yield* patch(path, token, 0, Buffer.alloc(10, 1))).status, 204)
    }).pipe(Effect.provide(server)),
  )

  it.live("refuses a body with a flipped bit and keeps the offset, also across parts", () =>
    Effect.gen(function* () {
      const content = randomBytes(1_200_000)
      const token = yield* signToken("u1")
      const { filePath, path } = yield* create(token, content.byteLength)
      const first = content.subarray(0, 1_100_000)
      const flipped = Buffer.from(first)
      flipped[600_000] = (flipped[600_000] ?? 0) ^ 1
      for (const algorithm of ["sha1", "md5", "sha256", "sha512"]) {
        const checksum = { "upload-checksum": `${algorithm} ${createHash(algorithm).update(first).digest("base64")}` }
        const refused = yield* patch(path, token, 0, flipped, checksum)
        assert.strictEqual(refused.status, 460)
        assert.propertyVal(yield* Effect.promise(() => refused.json()), "code", "checksum_mismatch")
        assert.strictEqual(yield* offsetOf(path, token), 0)
      }
      const checksum = { "upload-checksum": `sha1 ${createHash("sha1").update(first).digest("base64")}` }
      assert.strictEqual((yield* patch(path, token, 0, first, checksum)).status, 204)
      assert.strictEqual((yield* patch(path, token, 1_100_000, content.subarray(1_100_000))).status, 204)
      assert.isTrue((yield* readFile(filePath)).bytes.equals(content))
      assert.deepStrictEqual(yield* leftovers, [])
    }).pipe(Effect.provide(server)),
  )

  it.live("takes the first bytes with the creation, and answers with a Location and the expiry", () =>
    Effect.gen(function* () {
      const token = yield* signToken("u1")
      const response = yield* request("POST", "/v1/uploads/tus", {
        token,
        body: new Uint8Array(3),
        headers: {
          "upload-length": "5",
          "upload-metadata": encodedMetadata,
          "content-type": "application/offset+octet-stream",
        },
      })
      assert.strictEqual(response.status, 201)
      assert.strictEqual(response.headers.get("upload-offset"), "3")
      assert.strictEqual(response.headers.get("tus-resumable"), "1.0.0")
      const expires = Date.parse(response.headers.get("upload-expires") ?? "")
      assert.approximately(expires, Date.now() + 86_400_000, 60_000)
      const id = response.headers.get("armoricore-media-id") ?? ""
      // Right for every host name; behind a proxy that adds a path, PUBLIC_URL has it.
      assert.strictEqual(response.headers.get("location"), `/v1/uploads/tus/${id}`)
      const head = yield* request("HEAD", `/v1/uploads/tus/${id}`, { token })
      assert.strictEqual(head.headers.get("upload-length"), "5")
      assert.strictEqual(head.headers.get("upload-metadata"), encodedMetadata)
      assert.strictEqual(head.headers.get("cache-control"), "no-store")
      const done = yield* request("POST", `/v1/uploads/tus/${id}`, {
        token,
        body: new Uint8Array(2),
        headers: {
          "x-http-method-override": "PATCH",
          "upload-offset": "3",
          "content-type": "application/offset+octet-stream",
        },
      })
      assert.strictEqual(done.status, 204)
      assert.isNull(done.headers.get("upload-expires"))
      assert.strictEqual((yield* request("DELETE", `/v1/uploads/tus/${id}`, { token })).status, 409)
    }).pipe(Effect.provide(server)),
  )

  it.live("answers with a Location below the public URL, where one is set", () =>
    Effect.gen(function* () {
      const { id, response } = yield* create(yield* signToken("u1"), 5)
      assert.strictEqual(response.headers.get("location"), `https://proxy.example/api/v1/uploads/tus/${id}`)
    }).pipe(
      Effect.provide(
        apiServer({}, MemoryBus.layer, MemoryHistory.layer(), {
          ...resumable,
          publicUrl: "https://proxy.example/api",
        }),
      ),
    ),
  )

  it.live("deletes an upload with its bytes when the client terminates it", () =>
    Effect.gen(function* () {
      const token = yield* signToken("u1")
      const { path } = yield* create(token, 1_000_000)
      assert.strictEqual((yield* patch(path, token, 0, randomBytes(700_000))).status, 204)
      assert.isNotEmpty(yield* leftovers)
      assert.strictEqual((yield* request("DELETE", path, { token: yield* signToken("u2") })).status, 404)
      assert.strictEqual((yield* request("DELETE", path, { token })).status, 204)
      assert.strictEqual((yield* request("HEAD", path, { token })).status, 404)
      assert.deepStrictEqual(yield* leftovers, [])
    }).pipe(Effect.provide(server)),
  )

  it.live("gives files a name for URLs, from names in every script", () =>
    Effect.gen(function* () {
      const token = yield* signToken("u1")
      const nameOf = Effect.fnUntraced(function* (name: string) {
        const encoded = Buffer.from(name).toString("base64")
        const { filePath } = yield* create(token, 10, { "upload-metadata": `filename ${encoded}` })
        return filePath?.split("/").at(-1)
      })
      const names = ["Été à Roscoff.mp4", "映画.mp4", "../.profile", "a b?.mov", "🎬", "-", "..", "x".repeat(300)]
      assert.deepStrictEqual(yield* Effect.forEach(names, nameOf), [
        "Ete-a-Roscoff.mp4",
        "file.mp4",
        "file.profile",
        "a-b.mov",
        "file",
        "file",
        "file",
        "x".repeat(96),
      ])
    }).pipe(Effect.provide(server)),
  )

  it.live("lets pages of the allowed origins upload, and read every answer", () =>
    Effect.gen(function* () {
      const token = yield* signToken("u1")
      const origin = { origin: "https://www.example.com" }
      const { path } = yield* create(token, 10, origin)
      const asked = [...TusHandlers.requestHeaders, "authorization", "content-type"].join(",")
      const preflight = (method: string, from = origin.origin) =>
        request("OPTIONS", path, {
          headers: {
            origin: from,
            "access-control-request-method": method,
            "access-control-request-headers": asked,
          },
        })
      for (const method of ["POST", "HEAD", "PATCH", "DELETE"]) {
        const { headers, status } = yield* preflight(method)
        assert.strictEqual(status, 204)
        assert.strictEqual(headers.get("access-control-allow-origin"), origin.origin)
        assert.include(headers.get("access-control-allow-methods") ?? "", method)
        const allowed = (headers.get("access-control-allow-headers") ?? "").split(",")
        for (const name of asked.split(",")) assert.include(allowed, name)
      }
      assert.notStrictEqual(
        (yield* preflight("PATCH", "https://evil.example")).headers.get("access-control-allow-origin"),
        "https://evil.example",
      )
      const offset = { ...origin, "content-type": "application/offset+octet-stream", "upload-offset": "0" }
      const answers = [
        yield* request("HEAD", path, { token, headers: origin }),
        yield* request("PATCH", path, { token, headers: { ...offset, "upload-offset": "3" }, body: new Uint8Array(1) }),
        yield* request("PATCH", path, { token, headers: { ...offset, "tus-resumable": "9.9.9" } }),
        yield* request("PATCH", path, { headers: offset }),
        yield* request("PATCH", path, { token, headers: offset, body: new Uint8Array(4) }),
      ]
      assert.deepStrictEqual(
        answers.map(({ status }) => status),
        [200, 409, 412, 401, 204],
      )
      for (const { headers, status } of answers) {
        assert.strictEqual(headers.get("access-control-allow-origin"), origin.origin, `${status}`)
        const exposed = (headers.get("access-control-expose-headers") ?? "").split(",")
        for (const name of ["location", "upload-offset", "upload-length", "upload-expires", "tus-version"])
          assert.include(exposed, name, `${status}`)
        for (const name of headers.keys())
          if (/^(tus|upload|armoricore)-/.test(name)) assert.include(exposed, name, `${status}`)
      }
    }).pipe(
      Effect.provide(apiServer({}, MemoryBus.layer, MemoryHistory.layer(), resumable, ["https://www.example.com"])),
    ),
  )

  it.live("says what it supports", () =>
    Effect.gen(function* () {
      const { headers, status } = yield* request("OPTIONS", "/v1/uploads/tus", {})
      assert.strictEqual(status, 204)
      assert.strictEqual(headers.get("tus-version"), "1.0.0")
      assert.strictEqual(headers.get("tus-max-size"), "50000000000")
      assert.strictEqual(headers.get("tus-extension"), "creation,creation-with-upload,expiration,termination,checksum")
    }).pipe(Effect.provide(server)),
  )

  it.live("answers each wrong request with a status and a code", () =>
    Effect.gen(function* () {
      const token = yield* signToken("u1")
      const { path } = yield* create(token, 10)
      const offset = { "content-type": "application/offset+octet-stream", "upload-offset": "0" }
      const length = { "upload-length": "10" }
      const unknown = "/v1/uploads/tus/00000000-0000-4000-8000-000000000000"
      const named = (type: string) => ({ ...length, "upload-metadata": `filetype ${btoa(type)}` })
      const body = new Uint8Array(4)
      const cases: ReadonlyArray<
        readonly [number, string, string, string, Record<string, string>, Uint8Array<ArrayBuffer>?]
      > = [
        [412, "tus_version", "POST", "/v1/uploads/tus", { ...length, "tus-resumable": "0.2.2" }],
        [400, "invalid_header", "POST", "/v1/uploads/tus", {}],
        [400, "invalid_header", "POST", "/v1/uploads/tus", { "upload-length": "-1" }],
        [400, "invalid_header", "POST", "/v1/uploads/tus", { "upload-length": "1e3" }],
        [422, "invalid", "POST", "/v1/uploads/tus", { "upload-length": "0" }],
        [413, "too_large", "POST", "/v1/uploads/tus", { "upload-length": "50000000001" }],
        [400, "unsupported", "POST", "/v1/uploads/tus", { "upload-defer-length": "1" }],
        [400, "unsupported", "POST", "/v1/uploads/tus", { ...length, "upload-concat": "partial" }],
        [422, "content_type", "POST", "/v1/uploads/tus", named("text/html")],
        [400, "invalid_header", "POST", "/v1/uploads/tus", { ...length, "upload-metadata": "filename not-base64!" }],
        [400, "invalid_header", "POST", "/v1/uploads/tus", { ...length, "upload-metadata": "filename gICA" }],
        [413, "too_large", "POST", "/v1/uploads/tus", { ...length, "upload-metadata": `a ${"A".repeat(5000)}` }],
        [415, "content_type", "POST", "/v1/uploads/tus", { ...length, "content-type": "text/plain" }, body],
        [415, "content_type", "PATCH", path, { ...offset, "content-type": "application/octet-stream" }, body],
        [400, "invalid_header", "PATCH", path, { ...offset, "upload-offset": "x" }, body],
        [409, "offset", "PATCH", path, { ...offset, "upload-offset": "4" }, body],
        [413, "too_large", "PATCH", path, offset, new Uint8Array(11)],
        [400, "checksum_algorithm", "PATCH", path, { ...offset, "upload-checksum": "crc32 AAAA" }, body],
        [400, "invalid_header", "PATCH", path, { ...offset, "upload-checksum": "sha1 AAAA" }, body],
        [404, "not_found", "PATCH", unknown, offset, body],
        [404, "not_found", "PATCH", "/v1/uploads/tus/..%2f..", offset, body],
        [404, "not_found", "DELETE", unknown, {}],
        [400, "invalid_header", "POST", path, offset, body],
      ]
      for (const [status, code, method, target, headers, content] of cases) {
        const response = yield* request(method, target, {
          token,
          headers,
          ...(content === undefined ? {} : { body: content }),
        })
        const problem = yield* Effect.promise(() => response.json())
        assert.strictEqual(response.status, status, JSON.stringify([headers, problem]))
        assert.propertyVal(problem, "code", code)
        assert.strictEqual(response.headers.get("tus-resumable"), "1.0.0")
      }
      const guest = yield* signToken("g1", "guest")
      const other = yield* signToken("u2")
      for (const [status, method, who] of [
        [403, "POST", guest],
        [404, "HEAD", other],
        [404, "PATCH", other],
        [401, "HEAD", ""],
      ] as const) {
        const response = yield* request(method, method === "POST" ? "/v1/uploads/tus" : path, {
          ...(who === "" ? {} : { token: who }),
          headers: method === "HEAD" ? {} : { ...offset, ...length },
          ...(method === "PATCH" ? { body } : {}),
        })
        assert.strictEqual(response.status, status, method)
      }
      assert.strictEqual(yield* offsetOf(path, token), 0)
    }).pipe(Effect.provide(server)),
  )
})
