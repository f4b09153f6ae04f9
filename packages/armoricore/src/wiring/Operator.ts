/** The operators' part of a process: what every one answers, and the API and the console where the sockets are. */
import { ConsoleServer, Handlers, NodeRequests, OperatorServer } from "@armoricore/operator"
import { Endpoint } from "@armoricore/realtime/socket/Endpoint"
import type { RealtimeAdmin } from "@armoricore/realtime/admin/RealtimeAdmin"
import { Topics } from "@armoricore/realtime/pubsub/Topics"
import { NodeRpc } from "@armoricore/worker/control/NodeRpc"
import { Ledger } from "@armoricore/worker/ledger/Ledger"
import * as CircuitRegistry from "@armoricore/worker/control/CircuitRegistry"
import { Context, Effect, Layer } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { version } from "../Version.ts"

/** What the processes of an installation share: the questions to each other, and the switches. */
export const nodeControl = (services: Iterable<string>) =>
  Layer.merge(NodeRpc.layer({ services: [...services], version }), CircuitRegistry.layer)

/** What this process tells; `realtime` where it has sockets. Stands inside the workers, whose queues it shows. */
export const nodeStats = (realtime: Context.Context<Endpoint | Topics> | undefined) => {
  if (realtime === undefined) return NodeRequests.layer()
  const endpoint = Context.get(realtime, Endpoint)
  const { counts } = Context.get(realtime, Topics)
  return NodeRequests.layer(() => ({
    sockets: endpoint.size(),
    broadcasts: counts.broadcasts,
    deliveries: counts.deliveries,
  }))
}

/** The listeners of `/rpc` and `/console`; they end with the scope. */
export const listeners = (realtime: Context.Context<RealtimeAdmin>) =>
  Effect.gen(function* () {
    const handlers = yield* Layer.build(Handlers.layer({ version }).pipe(Layer.provide(Ledger.layer)))
    const api = yield* Effect.provideContext(OperatorServer.make, handlers)
    const pages = yield* ConsoleServer.make
    return {
      handleUpgrade: api.handleUpgrade,
      handleRequest: (request: IncomingMessage, response: ServerResponse) =>
        api.handleRequest(request, response) || pages.handleRequest(request, response),
    }
  }).pipe(Effect.provideContext(realtime))
