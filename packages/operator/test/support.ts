/** The operators' API over ports in memory, and clients of it: in the process, and over HTTP and WebSocket. */
import { createServer } from "node:http"
import * as Revocations from "@armoricore/auth/Revocations"
import { type SignOptions, Tokens } from "@armoricore/auth/Tokens"
import { Handlers, NodeAnswers, OperatorApi, OperatorServer, Reviews } from "@armoricore/operator"
import { Operator } from "@armoricore/realtime/Operator"
import { Testing } from "@armoricore/testing"
import { listen } from "@armoricore/testing/Listening"
import { ControlPlane } from "@armoricore/worker/ControlPlane"
import * as RunningConsumers from "@armoricore/worker/RunningConsumers"
import * as Switchboard from "@armoricore/worker/Switchboard"
import { NodeHttpServer, NodeSocket } from "@effect/platform-node"
import { Context, Duration, Effect, Layer, Scope } from "effect"
import { FetchHttpClient } from "effect/http"
import { RpcClient, RpcSerialization, RpcTest } from "effect/rpc"

/** Users who were kicked and banned, and the sockets there are. */
export class People extends Context.Service<People, { kicked: Array<string>; banned: Array<string> }>()("test/People") {
  static readonly layer = Layer.sync(People, () => ({ kicked: [], banned: [] }))
}

const sockets = [
  {
    socketId: "s1",
    userId: "ada",
    address: "10.0.0.1",
    node: "n",
    topics: ["chat:room:tea"],
    connectedAt: "2026-01-01T00:00:00.000Z",
  },
]

const operator = Layer.effect(
  Operator,
  Effect.gen(function* () {
    const people = yield* People
    const revocations = yield* Revocations.Revocations
    const all = <A>(items: ReadonlyArray<A>) => ({ items, truncated: false, silent: [] })
    return {
      nodes: Effect.succeed(all([{ node: "n", sockets: 1 }])),
      sockets: ({ topic, userId } = {}) =>
        Effect.succeed(
          all(
            sockets.filter(
              (socket) =>
                (userId === undefined || socket.userId === userId) &&
                (topic === undefined || socket.topics.includes(topic)),
            ),
          ),
        ),
      rooms: () => Effect.succeed(all([{ topic: "chat:room:tea", members: 1, nodes: ["n"] }])),
      kick: (target, { reason }) =>
        Effect.sync(() => {
          people.kicked.push(`${"userId" in target ? target.userId : target.socketId}: ${reason}`)
          return { kicked: 1, silent: [] }
        }),
      ban: (target) =>
        Effect.suspend(() => {
          people.banned.push("userId" in target ? target.userId : target.tokenId)
          return revocations.revoke(target)
        }),
    }
  }),
)

const ports = Testing.layer
export const services = Layer.mergeAll(NodeAnswers.layer(), Reviews.layerWorker, operator).pipe(
  Layer.provideMerge(ControlPlane.layer({ services: ["media", "realtime"], version: "test" })),
  Layer.provideMerge(Layer.mergeAll(Switchboard.layer, RunningConsumers.layer, Revocations.layer, People.layer)),
  Layer.provideMerge(ports),
)

/** All of it, with handlers and guard. */
export const api = Handlers.layer({ version: "test" }).pipe(Layer.provideMerge(services))

export const tokenFor = (userId: string, extra: Omit<Partial<SignOptions>, "userId"> = {}) =>
  Effect.flatMap(Tokens, (tokens) => Effect.orDie(tokens.sign({ userId, ttl: Duration.hours(1), ...extra })))

export const as = (token: string) => RpcClient.withHeaders({ authorization: `Bearer ${token}` })

export const inMemory = RpcTest.makeClient(OperatorApi)

/** A server on a free port; closed with the scope. With a `scope` of its own the API in it ends with that. */
export const listening = (scope?: Scope.Scope) =>
  Effect.gen(function* () {
    const { handleRequest, handleUpgrade } = yield* scope === undefined
      ? OperatorServer.make
      : Scope.provide(OperatorServer.make, scope)
    const server = createServer((request, response) => {
      if (!handleRequest(request, response)) response.writeHead(404).end()
    })
    server.on("upgrade", (request, socket, head) => {
      if (!handleUpgrade(request, socket, head)) socket.destroy()
    })
    return yield* listen(server)
  }).pipe(Effect.provide(NodeHttpServer.layerHttpServices))

const client = Effect.flatMap(Effect.context<RpcClient.Protocol>(), (context) =>
  Effect.provideContext(RpcClient.make(OperatorApi), context),
)

export const clientOverHttp = Effect.fnUntraced(function* (port: number) {
  const wire = RpcClient.layerProtocolHttp({ url: `http://127.0.0.1:${port}/rpc` }).pipe(
    Layer.provide([FetchHttpClient.layer, RpcSerialization.layerNdjson]),
  )
  return yield* Effect.provideContext(client, yield* Layer.build(wire))
})

export const clientOverWebSocket = Effect.fnUntraced(function* (port: number) {
  const wire = RpcClient.layerProtocolSocket().pipe(
    Layer.provide([NodeSocket.layerWebSocket(`ws://127.0.0.1:${port}/rpc`), RpcSerialization.layerNdjson]),
  )
  return yield* Effect.provideContext(client, yield* Layer.build(wire))
})

export const overHttp = Effect.flatMap(listening(), clientOverHttp)
export const overWebSocket = Effect.flatMap(listening(), clientOverWebSocket)
