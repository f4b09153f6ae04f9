import { readFileSync } from "node:fs"
import * as OpenApiDocument from "@armoricore/api/OpenApiDocument"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { apiServer, sendRequest, signToken } from "./support/ApiServer.ts"

const Document = Schema.fromJsonString(
  Schema.Struct({
    openapi: Schema.String,
    paths: Schema.Record(
      Schema.String,
      Schema.Record(Schema.String, Schema.Struct({ responses: Schema.Record(Schema.String, Schema.Unknown) })),
    ),
    components: Schema.Struct({ schemas: Schema.Record(Schema.String, Schema.Unknown) }),
  }),
)

describe("docs/openapi.json", () => {
  it("is current (npm run docs:openapi writes it)", () => {
    const file = readFileSync(new URL("../../../docs/openapi.json", import.meta.url), "utf8")
    assert.strictEqual(file, OpenApiDocument.text())
  })

  it("has every route, and every reference resolves", () => {
    const { components, openapi, paths } = Schema.decodeSync(Document)(OpenApiDocument.text())
    assert.match(openapi, /^3\.1/)
    for (const path of ["/v1/events", "/v1/uploads", "/v1/media/{id}", "/v1/notifications/{id}", "/healthz"]) {
      assert.property(paths, path)
    }
    const references = OpenApiDocument.text().matchAll(/"#\/components\/schemas\/([^"]+)"/g)
    for (const [, name = ""] of references) assert.property(components.schemas, name)
    assert.notProperty(components.schemas, "Problem_1", "the problem has one schema")
  })
})

describe("GET /openapi.json", () => {
  it.live("serves the document without a token", () =>
    Effect.gen(function* () {
      const { body, headers, status } = yield* sendRequest("GET", "/openapi.json")
      assert.strictEqual(status, 200)
      assert.strictEqual(headers["content-type"], "application/json")
      assert.deepStrictEqual(body, JSON.parse(OpenApiDocument.text()))
    }).pipe(Effect.provide(apiServer())),
  )
})

/** Values that a client may put into a path, encoded. */
const hostileSegments = ["x", "a%20b", "%00", "..%2F..%2Fetc", "%F0%9F%8E%AC", "%22%3E", "x".repeat(400)]

const hostileBodies = [
  "",
  "{",
  "null",
  "[]",
  "[null]",
  "7",
  '"text"',
  "{}",
  '{"__proto__":{"a":1}}',
  `{"event":7,"payload":"x","user_id":{},"role":[],"reason":5,"ids":"x","platform":9,"members":{},"name":null}`,
  `{"event":"${"x".repeat(500)}","payload":{},"as":"\\ud800","client_id":""}`,
  "[".repeat(2000),
]

const hostileQueries = ["", "?limit=-1&before=x&after=1e99&cursor=%00&status=%22", "?limit=1&limit=2"]

const isWithoutBody = (method: string): boolean => method === "get" || method === "head"

describe("hostile requests", () => {
  it.live(
    "every route answers with success or a problem that has a code and a detail, and serves the next request",
    () =>
      Effect.gen(function* () {
        const { paths } = Schema.decodeSync(Document)(OpenApiDocument.text())
        const token = yield* signToken("backend", "publisher", "operator")
        const ask = Effect.fnUntraced(function* (method: string, path: string, body: string) {
          const response = yield* HttpClientRequest.make(method.toUpperCase() as "POST")(path).pipe(
            HttpClientRequest.bearerToken(token),
            // For the routes of tus, which refuse every other version.
            HttpClientRequest.setHeader("tus-resumable", "1.0.0"),
            isWithoutBody(method) ? (request) => request : HttpClientRequest.bodyText(body, "application/json"),
            HttpClient.execute,
          )
          const text = yield* response.text
          const sent = `${method} ${path} ${body.slice(0, 80)}: ${response.status} ${text.slice(0, 200)}`
          assert.isBelow(response.status, 500, sent)
          if (response.status < 400 || method === "head") return
          assert.include(response.headers["content-type"], "application/problem+json", sent)
          const { code, detail, status } = JSON.parse(text)
          assert.deepStrictEqual([typeof code, typeof detail, status], ["string", "string", response.status], sent)
        })
        for (const [path, methods] of Object.entries(paths)) {
          if (!path.startsWith("/v1/")) continue
          for (const method of Object.keys(methods)) {
            const at = (segment: string) => path.replaceAll(/\{[^}]+\}/g, segment)
            // The topic of a room, so that the body counts.
            const plausible = at(path.includes("{topic}") ? "chat:room:lobby" : "u1")
            for (const segment of path.includes("{") ? hostileSegments : []) yield* ask(method, at(segment), "{}")
            for (const body of isWithoutBody(method) ? [] : hostileBodies) yield* ask(method, plausible, body)
            for (const query of hostileQueries) yield* ask(method, plausible + query, "{}")
          }
        }
      }).pipe(Effect.provide(apiServer())),
    30_000,
  )
})
