/**
 * The entry point of the engine's thread: acquires the folder's lock, then serves the process that started it and the
 * socket. It ends on request and releases the lock.
 */
import { parentPort, workerData } from "node:worker_threads";
import * as DataFolder from "../DataFolder.ts";
import { engineFailureFrom, isBusy, open } from "./Database.ts";
import { Engine } from "./Engine.ts";
import { Subscriptions } from "./Subscriptions.ts";
import { serve } from "./SocketServer.ts";
if (parentPort === null)
    throw new Error("This file is run by the engine as a thread");
const port = parentPort;
// Passed by this package's own Worker call.
const { folder, lockTimeout } = workerData;
const sendHandshake = (greeting) => port.postMessage(greeting);
const start = async () => {
    DataFolder.create(folder);
    const engine = new Engine(open(DataFolder.databasePath(folder), lockTimeout));
    const socket = DataFolder.newSocketPath(folder);
    const server = await serve(engine, socket);
    DataFolder.writeOwnerFile(folder, socket);
    const owner = { subscriptions: new Subscriptions(), send: (batch) => port.postMessage(batch) };
    engine.join(owner);
    port.on("message", (batch) => {
        if (batch !== "close")
            return engine.receive(owner, batch);
        // Releasing the lock hands over the folder: a new owner may be waiting, and files created from now on are the new
        // owner's.
        server.stopAccepting();
        DataFolder.removeOwnerFile(folder);
        DataFolder.removeSocket(folder, socket);
        engine.close();
        void server.close().then(() => port.close());
    });
    sendHandshake({ ready: true });
};
start().catch((cause) => {
    sendHandshake({ refused: engineFailureFrom(cause), busy: isBusy(cause) });
    port.close();
});
