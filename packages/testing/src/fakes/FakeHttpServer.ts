/** What the fakes of providers share: a server on a free port of 127.0.0.1 that is gone with the scope. */
import { Effect } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { listen } from "../LocalPort.ts"

export interface RecordedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly body: Buffer
}

export interface FakeResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** The connection is cut after the request was taken, before any answer. */
  readonly disconnect?: true
}

type RequestHandler = (asked: RecordedRequest) => FakeResponse | Promise<FakeResponse>

/** A server that gets whole requests; `create` makes it, with or without TLS. */
export const bufferedServer = <S>(
  create: (listener: (request: IncomingMessage, response: ServerResponse) => void) => S,
  answer: RequestHandler,
): S =>
  create((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const asked = {
        method: request.method ?? "",
        path: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks),
      }
      void Promise.resolve(answer(asked)).then(
        (answered) => write(request, response, answered),
        (error: unknown) => write(request, response, { status: 500, body: String(error) }),
      )
    })
  })

/** Returns the server's address. */
export const listenHttp = (answer: RequestHandler) =>
  Effect.map(listen(bufferedServer((listener) => createServer(listener), answer)), (port) => `http://127.0.0.1:${port}`)

const write = (
  request: IncomingMessage,
  response: ServerResponse,
  { body = "", disconnect, headers = {}, status }: FakeResponse,
) => {
  if (disconnect === true) return void request.socket.destroy()
  response.writeHead(status, { "content-type": "application/json", ...headers })
  response.end(body)
}
