/**
 * The operators' API on the wire, at one path: over a WebSocket, and as `POST` with a body of JSON lines, whose answer
 * streams. The composition root owns the HTTP server and passes its events here.
 *
 * The token is in the messages, not in the handshake, so that a browser needs no cookie and another site can do nothing
 * with the connection; whoever connects without one gets refusals.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { ByteSize, Effect, Exit, Scope } from "effect"
import { HttpIncomingMessage } from "effect/http"
import { RpcSerialization, RpcServer } from "effect/rpc"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { WebSocketServer } from "ws"
import { OperatorAuth } from "./OperatorAuth.ts"
import { OperatorApi } from "./OperatorApi.ts"
import { InFlightRequests } from "./InFlightRequests.ts"
import * as MalformedRequestGuard from "./MalformedRequestGuard.ts"

export const path = "/rpc"

/** A dead letter's body goes both ways. */
const maxMessageBytes = 4 * 1024 * 1024

const ndjson = RpcSerialization.makeNdjson({ maxBufferSize: maxMessageBytes })

/**
 * On a socket each message holds whole lines. Where a rest could be kept for the next one, whoever connects could send a
 * large line in crumbs, and each would cost a search of all that came before.
 */
const wholeLineNdjson = RpcSerialization.RpcSerialization.of({
  ...ndjson,
  makeUnsafe: () => {
    const lines = ndjson.makeUnsafe()
    return {
      ...lines,
      decode: (message) => {
        if (message.at(-1) !== (typeof message === "string" ? "\n" : lineFeed)) throw new IncompleteLine()
        return lines.decode(message)
      },
    }
  },
})
const lineFeed = 10

class IncompleteLine extends Error {
  override readonly name = "NotWhole"
  override readonly message = "each message must end in a line feed"
}

/**
 * The two listeners; false: another path, nothing was touched. Both end with the scope, which first lets the calls that
 * are under way be answered.
 */
export const make = Effect.gen(function* () {
  const scope = yield* Scope.make()
  const server = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes })
  const inFlight = yield* InFlightRequests
  // The server of procedures waits for its clients, so they go first; who hangs then does not hold up the program.
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      yield* withDeadline(drainTimeoutMillis, inFlight.onDrained)
      yield* closeClients(server)
      const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void))
      yield* withDeadline(closeTimeoutMillis, (done) => closing.addObserver(done))
    }),
  )
  const auth = yield* OperatorAuth
  const serve = (protocol: RpcServer.Protocol["Service"]) =>
    RpcServer.make(OperatorApi, { disableFatalDefects: true }).pipe(
      Effect.provideService(RpcServer.Protocol, MalformedRequestGuard.guardProtocol(protocol, auth)),
      Effect.forkIn(scope),
    )
  const http = yield* RpcServer.makeProtocolWithHttpEffect()
  const sockets = yield* RpcServer.makeProtocolWithHttpEffectWebsocket.pipe(
    Effect.provideService(RpcSerialization.RpcSerialization, wholeLineNdjson),
  )
  yield* serve(http.protocol)
  yield* serve(sockets.protocol)
  const limitedEffect = Effect.provideService(
    http.httpEffect,
    HttpIncomingMessage.MaxBodySize,
    ByteSize.bytes(maxMessageBytes),
  )
  const handleHttp = yield* NodeHttpServer.makeHandler(limitedEffect, { scope })
  const upgrade = yield* NodeHttpServer.makeUpgradeHandler(Effect.succeed(server), sockets.httpEffect, { scope })

  return {
    handleRequest: (request: IncomingMessage, response: ServerResponse): boolean => {
      if (!isRpcPath(request)) return false
      if (request.method === "POST") handleHttp(request, response)
      else {
        response.writeHead(405, { allow: "POST", "content-type": "text/plain; charset=utf-8" })
        response.end("The operators' API: connect a WebSocket here, or POST to it. docs/operator.md says how.\n")
      }
      return true
    },
    handleUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer): boolean => {
      if (!isRpcPath(request)) return false
      upgrade(request, socket, head)
      return true
    },
  }
}).pipe(Effect.provideService(RpcSerialization.RpcSerialization, ndjson))

/** How long calls that were begun may go on. */
const drainTimeoutMillis = 5_000
const closeTimeoutMillis = 1_000
const serviceRestartCode = 1012

/** Tells everybody that the server goes, and returns once they are gone. */
const closeClients = (server: WebSocketServer): Effect.Effect<void> =>
  withDeadline(closeTimeoutMillis, (done) => {
    const openClients = new Set(server.clients)
    if (openClients.size === 0) return done()
    for (const client of openClients) {
      client.once("close", () => {
        openClients.delete(client)
        if (openClients.size === 0) done()
      })
      client.close(serviceRestartCode)
    }
  }).pipe(
    Effect.andThen(
      Effect.sync(() => {
        for (const client of server.clients) client.terminate()
      }),
    ),
  )

/** A finalizer may run in a fiber that is interrupted already, so Effect's own time limits would end at once. */
const withDeadline = (millis: number, wait: (done: () => void) => void): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    wait(() => {
      clearTimeout(timer)
      resume(Effect.void)
    })
  })

/** Clients that join addresses end theirs in a slash. */
const isRpcPath = ({ url = "/" }: IncomingMessage): boolean => [path, `${path}/`].includes(url.split("?", 1)[0] ?? "/")
