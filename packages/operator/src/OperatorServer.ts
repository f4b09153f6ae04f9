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
import { Admission } from "./Admission.ts"
import { OperatorApi } from "./OperatorApi.ts"
import { UnderWay } from "./UnderWay.ts"
import * as WireGuard from "./WireGuard.ts"

export const path = "/rpc"

/** A dead letter's body goes both ways. */
const maxMessageBytes = 4 * 1024 * 1024

const jsonLines = RpcSerialization.makeNdjson({ maxBufferSize: maxMessageBytes })

/**
 * On a socket each message holds whole lines. Where a rest could be kept for the next one, whoever connects could send a
 * large line in crumbs, and each would cost a search of all that came before.
 */
const wholeLines = RpcSerialization.RpcSerialization.of({
  ...jsonLines,
  makeUnsafe: () => {
    const lines = jsonLines.makeUnsafe()
    return {
      ...lines,
      decode: (message) => {
        if (message.at(-1) !== (typeof message === "string" ? "\n" : lineFeed)) throw new NotWhole()
        return lines.decode(message)
      },
    }
  },
})
const lineFeed = 10

class NotWhole extends Error {
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
  const underWay = yield* UnderWay
  // The server of procedures waits for its clients, so they go first; who hangs then does not hold up the program.
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      yield* within(callMillis, underWay.onNone)
      yield* hangUp(server)
      const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void))
      yield* within(patienceMillis, (done) => closing.addObserver(done))
    }),
  )
  const admission = yield* Admission
  const serve = (protocol: RpcServer.Protocol["Service"]) =>
    RpcServer.make(OperatorApi, { disableFatalDefects: true }).pipe(
      Effect.provideService(RpcServer.Protocol, WireGuard.before(protocol, admission)),
      Effect.forkIn(scope),
    )
  const http = yield* RpcServer.makeProtocolWithHttpEffect()
  const sockets = yield* RpcServer.makeProtocolWithHttpEffectWebsocket.pipe(
    Effect.provideService(RpcSerialization.RpcSerialization, wholeLines),
  )
  yield* serve(http.protocol)
  yield* serve(sockets.protocol)
  const limited = Effect.provideService(
    http.httpEffect,
    HttpIncomingMessage.MaxBodySize,
    ByteSize.bytes(maxMessageBytes),
  )
  const answer = yield* NodeHttpServer.makeHandler(limited, { scope })
  const upgrade = yield* NodeHttpServer.makeUpgradeHandler(Effect.succeed(server), sockets.httpEffect, { scope })

  return {
    handleRequest: (request: IncomingMessage, response: ServerResponse): boolean => {
      if (!isOurs(request)) return false
      if (request.method === "POST") answer(request, response)
      else {
        response.writeHead(405, { allow: "POST", "content-type": "text/plain; charset=utf-8" })
        response.end("The operators' API: connect a WebSocket here, or POST to it. docs/operator.md says how.\n")
      }
      return true
    },
    handleUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer): boolean => {
      if (!isOurs(request)) return false
      upgrade(request, socket, head)
      return true
    },
  }
}).pipe(Effect.provideService(RpcSerialization.RpcSerialization, jsonLines))

/** How long calls that were begun may go on. */
const callMillis = 5_000
const patienceMillis = 1_000
const restart = 1012

/** Tells everybody that the server goes, and returns once they are gone. */
const hangUp = (server: WebSocketServer): Effect.Effect<void> =>
  within(patienceMillis, (done) => {
    const left = new Set(server.clients)
    if (left.size === 0) return done()
    for (const client of left) {
      client.once("close", () => {
        left.delete(client)
        if (left.size === 0) done()
      })
      client.close(restart)
    }
  }).pipe(
    Effect.andThen(
      Effect.sync(() => {
        for (const client of server.clients) client.terminate()
      }),
    ),
  )

/** A finalizer may run in a fiber that is interrupted already, so Effect's own time limits would end at once. */
const within = (millis: number, wait: (done: () => void) => void): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    wait(() => {
      clearTimeout(timer)
      resume(Effect.void)
    })
  })

/** Clients that join addresses end theirs in a slash. */
const isOurs = ({ url = "/" }: IncomingMessage): boolean => [path, `${path}/`].includes(url.split("?", 1)[0] ?? "/")
