/** The operator part of a process: node requests everywhere, and the API and console in the process with the sockets. */
import { ConsoleServer, Handlers, NodeRequests, OperatorServer } from "@armoricore/operator";
import { Endpoint } from "@armoricore/realtime/socket/Endpoint";
import { Topics } from "@armoricore/realtime/pubsub/Topics";
import { NodeRpc } from "@armoricore/worker/control/NodeRpc";
import { Ledger } from "@armoricore/worker/ledger/Ledger";
import * as CircuitRegistry from "@armoricore/worker/control/CircuitRegistry";
import { Context, Effect, Layer } from "effect";
import { Settings } from "../settings/Settings.ts";
import { version } from "../Version.ts";
/** RPC between the nodes of an installation, and their circuits. */
export const nodeControl = (services) => Layer.merge(NodeRpc.layer({ services: [...services], version }), CircuitRegistry.layer);
/** Responds to node requests. `realtime` is set if this process has sockets. */
export const nodeStats = (realtime) => {
    if (realtime === undefined)
        return NodeRequests.layer();
    const endpoint = Context.get(realtime, Endpoint);
    const { counts } = Context.get(realtime, Topics);
    return NodeRequests.layer(() => ({
        sockets: endpoint.size(),
        broadcasts: counts.broadcasts,
        deliveries: counts.deliveries,
    }));
};
const consoleConfig = ({ OIDC_CLIENT_ID, OIDC_ISSUER, OIDC_SCOPE, OIDC_TOKEN }) => OIDC_ISSUER === undefined || OIDC_CLIENT_ID === undefined
    ? {}
    : { oidc: { issuer: OIDC_ISSUER, client_id: OIDC_CLIENT_ID, scope: OIDC_SCOPE, token: OIDC_TOKEN } };
/** The listeners of `/rpc` and `/console`, until the scope closes. */
export const listeners = (realtime) => Effect.gen(function* () {
    const handlers = yield* Layer.build(Handlers.layer({ version }).pipe(Layer.provide(Ledger.layer)));
    const api = yield* Effect.provideContext(OperatorServer.make, handlers);
    const pages = yield* ConsoleServer.make(undefined, consoleConfig(yield* Settings));
    return {
        handleUpgrade: api.handleUpgrade,
        handleRequest: (request, response) => api.handleRequest(request, response) || pages.handleRequest(request, response),
    };
}).pipe(Effect.provideContext(realtime));
