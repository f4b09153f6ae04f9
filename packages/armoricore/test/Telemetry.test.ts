import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { createServer } from "node:http"
import * as Program from "./support/Program.ts"

/** A collector that answers everything and keeps what came. */
const collector = Effect.acquireRelease(
  Effect.callback<{
    readonly url: string
    readonly close: () => void
    readonly got: Map<string, string>
    readonly traced: Deferred.Deferred<void>
  }>((resume) => {
    const got = new Map<string, string>()
    const traced = Deferred.makeUnsafe<void>()
    const server = createServer((request, response) => {
      let body = ""
      request.on("data", (chunk) => (body += String(chunk)))
      request.on("end", () => {
        got.set(request.url ?? "", (got.get(request.url ?? "") ?? "") + body)
        if (request.url === "/v1/traces") Deferred.doneUnsafe(traced, Effect.void)
        response.end("{}")
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close: () => server.close(), got, traced }))
    })
  }),
  ({ close }) => Effect.sync(close),
)

describe("telemetry", () => {
  it.live("spans and metrics reach the collector of OTEL_EXPORTER_OTLP_ENDPOINT before the program ends", () =>
    Effect.gen(function* () {
      const { got, traced, url } = yield* collector
      const program = yield* Program.launch(["start"], {
        ARMORICORE_DATA_DIR: yield* Program.folder,
        PORT: "0",
        OTEL_EXPORTER_OTLP_ENDPOINT: url,
        OTEL_SERVICE_NAME: "of-this-test",
      })
      yield* program.says(/armoricore listens on/)
      yield* program.signal("SIGTERM")
      assert.strictEqual((yield* program.ended).code, 0)
      yield* Deferred.await(traced)
      assert.include(got.get("/v1/traces"), '"of-this-test"')
      assert.include(got.get("/v1/traces"), '"Program.serve"')
      assert.include(got.get("/v1/metrics"), '"of-this-test"')
    }),
  )
})
