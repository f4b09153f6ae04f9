import { Context, Effect, Layer, Schedule, SubscriptionRef } from "effect";
import { resolve } from "node:path";
import { EngineClient } from "./EngineClient.ts";
import * as Transport from "./Transport.ts";
export class EmbeddedEngine extends Context.Service()("@armoricore/embedded/EmbeddedEngine") {
}
/** How long to wait for a previous owner to exit. */
const ownerLockTimeout = 2_000;
/** Owns the folder. Fails with a ConfigurationError that names the owner if there is one. */
export const layerOwner = ({ folder }) => Layer.effect(EmbeddedEngine, make(folder, "owner", ownerLockTimeout));
/** Shares the folder of a running owner. Fails with a ConfigurationError if no process owns it. */
export const layerClient = ({ folder }) => Layer.effect(EmbeddedEngine, make(folder, "client", 0));
export const layerShared = ({ folder }) => Layer.effect(EmbeddedEngine, make(folder, "client", 0).pipe(Effect.catch(() => make(folder, "owner", 0)), 
// Another process won the race for the folder and is about to open its socket.
Effect.catchTag("ConfigurationError", (refused) => make(folder, "client", 0).pipe(Effect.retry({ times: 20, schedule: Schedule.spaced("100 millis") }), Effect.mapError(() => refused)))));
const make = Effect.fnUntraced(function* (given, role, lockTimeout) {
    const folder = resolve(given);
    const connected = yield* SubscriptionRef.make(false);
    const client = new EngineClient(connected);
    yield* client.connect(role === "owner" ? Transport.thread({ folder, lockTimeout }) : Transport.socket(folder));
    return EmbeddedEngine.of({
        folder,
        role,
        ownerId: role === "owner" ? crypto.randomUUID() : undefined,
        module: Effect.fnUntraced(function* (source) {
            yield* client.register(source.name, source.url.href, source.options ?? {});
            const module = {
                call: (operation, args, options) => 
                // The thread returns the result of the operation with that name.
                client.call(source.name, operation, args, options),
                subscribe: (prefix, onNotice, options) => Effect.asVoid(Effect.acquireRelease(client.subscribe(`${source.name}/${prefix}`, ({ topic, data }) => onNotice(topic, data), options?.exact === true), (stop) => stop)),
            };
            return module;
        }),
        connected: SubscriptionRef.get(connected),
        connectedChanges: SubscriptionRef.changes(connected),
    });
});
