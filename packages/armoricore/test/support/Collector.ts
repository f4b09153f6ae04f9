/** An OpenTelemetry collector that keeps what came, over real HTTP. */
import { Effect, Schema } from "effect"
import { createServer, type IncomingHttpHeaders } from "node:http"

const Value = Schema.Struct({
  stringValue: Schema.optionalKey(Schema.String),
  intValue: Schema.optionalKey(Schema.Union([Schema.Finite, Schema.String])),
})

const Span = Schema.Struct({
  traceId: Schema.String,
  spanId: Schema.String,
  parentSpanId: Schema.optionalKey(Schema.String),
  name: Schema.String,
  /** 1 internal, 2 server, 3 client, 4 producer, 5 consumer */
  kind: Schema.Finite,
  attributes: Schema.Array(Schema.Struct({ key: Schema.String, value: Value })),
  status: Schema.Struct({ code: Schema.Finite }),
})
export type Span = typeof Span.Type

const readTraces = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({
      resourceSpans: Schema.Array(
        Schema.Struct({ scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(Span) })) }),
      ),
    }),
  ),
)

interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Lives as long as the scope. */
export const start = Effect.acquireRelease(
  Effect.callback<{
    readonly url: string
    readonly close: () => void
    readonly received: ReadonlyArray<Received>
  }>((resume) => {
    const received: Array<Received> = []
    const server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        received.push({
          path: request.url ?? "",
          headers: request.headers,
          body: Buffer.concat(chunks).toString("utf8"),
        })
        response.end("{}")
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close: () => server.close(), received }))
    })
  }),
  ({ close }) => Effect.sync(close),
).pipe(
  Effect.map(({ received, url }) => ({
    url,
    received,
    /** All bodies of one signal: `traces`, `metrics`, `logs`. */
    textOf: (signal: string) =>
      received
        .filter(({ path }) => path === `/v1/${signal}`)
        .map(({ body }) => body)
        .join("\n"),
    spans: (): ReadonlyArray<Span> =>
      received
        .filter(({ path }) => path === "/v1/traces")
        .flatMap(({ body }) => readTraces(body).resourceSpans)
        .flatMap(({ scopeSpans }) => scopeSpans)
        .flatMap(({ spans }) => spans),
  })),
)

export const attribute = ({ attributes }: Span, name: string): string | undefined =>
  attributes.find(({ key }) => key === name)?.value.stringValue
