/** The guards of all routes by channel, shared by everything that sends: a provider's outage is one outage. */
import type { NotificationChannel } from "@armoricore/domain/NotificationState"
import { Context, Effect, Layer } from "effect"
import { ProviderRegistry } from "./Provider.ts"
import * as ProviderCircuit from "./ProviderCircuit.ts"

export class ProviderCircuits extends Context.Service<
  ProviderCircuits,
  {
    /** In the order in which they are to be tried. */
    readonly forChannel: (channel: NotificationChannel) => ReadonlyArray<ProviderCircuit.ProviderCircuit>
  }
>()("@armoricore/notify/ProviderCircuits") {
  /** Knows the routes that were registered before it was built. */
  static readonly layer: Layer.Layer<ProviderCircuits, never, ProviderRegistry> = Layer.effect(
    ProviderCircuits,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const registry = yield* ProviderRegistry
  const circuits = new Map<NotificationChannel, ReadonlyArray<ProviderCircuit.ProviderCircuit>>()
  // A provider that serves two channels has one guard.
  const byProvider = new Map<string, ProviderCircuit.ProviderCircuit>()
  for (const channel of ["fcm", "apns", "web_push", "email"] as const) {
    const ofChannel = yield* Effect.forEach(registry.forChannel(channel), (provider) => {
      const existing = byProvider.get(provider.name)
      if (existing !== undefined) return Effect.succeed(existing)
      return Effect.tap(ProviderCircuit.make(provider), (circuit) =>
        Effect.sync(() => void byProvider.set(provider.name, circuit)),
      )
    })
    circuits.set(channel, ofChannel)
  }
  return ProviderCircuits.of({ forChannel: (channel) => circuits.get(channel) ?? [] })
})
