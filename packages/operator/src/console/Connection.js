/**
 * The operator API in the browser: typed RPC over one WebSocket. After a connection loss the client reconnects and the
 * subscriptions restart; meanwhile the page shows the last known values.
 */
import { Cause, Context, Effect, Exit, Fiber, Layer, ManagedRuntime, Schedule, Stream } from "effect";
import { RpcClient, RpcSerialization } from "effect/rpc";
import { Socket } from "effect/socket";
import { OperatorApi } from "../OperatorApi.ts";
class Api extends Context.Service()("@armoricore/operator/console/Api") {
}
const socketUrl = () => {
    const url = new URL("/rpc", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return url.href;
};
export const connect = (token) => {
    const protocolLayer = RpcClient.layerProtocolSocket({ retryTransientErrors: true }).pipe(Layer.provide([
        Socket.layerWebSocket(socketUrl()).pipe(Layer.provide(Socket.layerWebSocketConstructorGlobal)),
        RpcSerialization.layerNdjson,
    ]));
    const runtime = ManagedRuntime.make(Layer.effect(Api, RpcClient.make(OperatorApi)).pipe(Layer.provide(protocolLayer)));
    const withToken = RpcClient.withHeaders({ authorization: `Bearer ${token}` });
    return {
        call: async (procedure) => {
            const exit = await runtime.runPromiseExit(withToken(Effect.flatMap(Api, procedure)).pipe(Effect.timeoutOrElse({
                duration: "20 seconds",
                orElse: () => Effect.fail({ message: "No response within 20 s. Check the connection and try again." }),
            })));
            if (Exit.isSuccess(exit))
                return exit.value;
            throw new CallError(toCallFailure(exit.cause));
        },
        watch: (procedure, onValue, onError) => {
            const subscription = Effect.flatMap(Api, (client) => Stream.runForEach(procedure(client), (value) => Effect.sync(() => onValue(value)))).pipe(withToken, Effect.tapCause((cause) => Effect.sync(() => onError(toCallFailure(cause)))), Effect.retry({ schedule: Schedule.spaced("1 second") }));
            const fiber = runtime.runFork(subscription);
            return () => void runtime.runFork(Fiber.interrupt(fiber));
        },
        close: () => void runtime.dispose(),
    };
};
export class CallError extends Error {
    isAccessDenied;
    constructor({ message, isAccessDenied }) {
        super(message);
        this.isAccessDenied = isAccessDenied;
    }
}
const toCallFailure = (cause) => {
    const error = Cause.squash(cause);
    const tag = typeof error === "object" && error !== null && "_tag" in error ? error._tag : undefined;
    const message = typeof error === "object" && error !== null && "message" in error ? String(error.message) : "";
    if (tag === "RpcClientError")
        return { isAccessDenied: false, message: "The server is unreachable. Reconnecting …" };
    return {
        isAccessDenied: tag === "AccessDenied",
        message: message === "" ? "The call failed. See the log of the server for the cause." : message,
    };
};
