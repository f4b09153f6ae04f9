/** Servers of tests on free ports of 127.0.0.1. */
import { Effect } from "effect";
import { createServer } from "node:net";
/** Listens until the scope closes; returns the port. `closeAllConnections` cuts who is connected then. */
export const listen = (server) => Effect.acquireRelease(Effect.callback((resume) => {
    server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0));
    });
}), () => Effect.callback((resume) => {
    server.close(() => resume(Effect.void));
    server.closeAllConnections?.();
}));
/** A free port, for a program that requires one as an argument. */
export const freePort = Effect.scoped(Effect.suspend(() => listen(createServer())));
