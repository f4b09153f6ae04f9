/**
 * A process of its own on a data folder: `publish` sends until it is killed and prints each acknowledged id; `hold` takes
 * messages, prints their bodies and never settles them; so does `hold-long`, whose wait is an hour.
 */
import { fileURLToPath } from "node:url";
import { layerShared } from "@armoricore/embedded/EmbeddedEngine";
import { Duration, Effect, Layer } from "effect";
import * as Address from "../../src/Address.ts";
import { EventBus } from "../../src/EventBus.ts";
import * as EmbeddedBus from "../../src/embedded/EmbeddedBus.ts";
export const path = fileURLToPath(import.meta.url);
const [role, folder = ""] = process.argv.slice(2);
const print = (line) => Effect.sync(() => process.stdout.write(`${line}\n`));
const from = Address.event("media.ready");
const program = Effect.gen(function* () {
    const bus = yield* EventBus;
    if (role === "hold" || role === "hold-long") {
        const ackWait = role === "hold" ? Duration.millis(900) : Duration.hours(1);
        yield* bus.consume({ name: "worker", from, concurrency: 2, ackWait }, ({ body }) => Effect.andThen(print(new TextDecoder().decode(body)), Effect.never));
        return yield* Effect.never;
    }
    const send = (id) => Effect.tap(bus.publish({ address: from, id, body: new TextEncoder().encode(id) }), () => print(id));
    for (let round = 0;; round++) {
        yield* Effect.forEach(Array.from({ length: 16 }, (_, index) => `${round}-${index}`), send, { concurrency: "unbounded", discard: true });
    }
}).pipe(Effect.scoped);
if (process.argv[1] === path) {
    const layer = EmbeddedBus.layer.pipe(Layer.provide(layerShared({ folder })));
    Effect.runPromise(Effect.provide(program, layer)).catch((cause) => {
        process.stderr.write(`${String(cause)}\n`);
        process.exitCode = 1;
    });
}
