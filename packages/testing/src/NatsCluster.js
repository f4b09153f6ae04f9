/**
 * Three real nats-servers that are one cluster, for tests: data in three copies survives the loss of any one server.
 * Call `Programs.requireProgram("nats-server")` first.
 */
import { Effect } from "effect";
import { freePort } from "./LocalPort.ts";
import * as NatsServer from "./NatsServer.ts";
/** Returns when all listen; they may still choose their leader. `arguments_` as for one server. */
export const make = Effect.fnUntraced(function* (arguments_ = [], env = {}) {
    const ports = [yield* freePort, yield* freePort, yield* freePort];
    const routes = ports.map((port) => `nats://127.0.0.1:${port}`);
    const name = `cluster-${ports[0]}`;
    const members = yield* Effect.forEach(routes, (route, index) => NatsServer.make([
        "-n",
        `member-${index}`,
        "--cluster_name",
        name,
        "--cluster",
        route,
        "--routes",
        routes.join(","),
        ...arguments_,
    ], env), { concurrency: "unbounded" });
    return { members, urls: members.map(({ url }) => url) };
});
