/** The circuits of all providers by channel. Every sender shares them, so an outage is noticed once. */
import { NotificationChannel } from "@armoricore/domain/NotificationState";
import { Context, Effect, Layer, Queue } from "effect";
import { ProviderRegistry } from "./Provider.ts";
import * as ProviderCircuit from "./ProviderCircuit.ts";
export class ProviderCircuits extends Context.Service()("@armoricore/notify/ProviderCircuits", {
    make: Effect.gen(function* () {
        const registry = yield* ProviderRegistry;
        const circuits = new Map();
        // A provider of two channels has one circuit.
        const reversed = yield* Queue.unbounded();
        const byProvider = new Map();
        for (const channel of NotificationChannel.literals) {
            const ofChannel = yield* Effect.forEach(registry.forChannel(channel), (provider) => {
                const existing = byProvider.get(provider.name);
                if (existing !== undefined)
                    return Effect.succeed(existing);
                return Effect.tap(ProviderCircuit.make(provider, (messages) => Queue.offerAllUnsafe(reversed, messages)), (circuit) => Effect.sync(() => void byProvider.set(provider.name, circuit)));
            });
            circuits.set(channel, ofChannel);
        }
        return {
            /** The circuits of the channel's providers, in the order in which the providers are tried. */
            forChannel: (channel) => circuits.get(channel) ?? [],
            /** Messages whose refusal was blamed on the recipient, although our setup was at fault. */
            reversed: Queue.take(reversed),
        };
    }),
}) {
    /** Must be built after the Layers of the providers: it knows only providers that are registered by then. */
    static layer = Layer.effect(this, this.make);
}
