/** The bus and the state that a child of the chaos run works on: NATS at `CHAOS_NATS`, else embedded in `CHAOS_FOLDER`. */
import * as EmbeddedBus from "@armoricore/bus/embedded/EmbeddedBus"
import * as NatsBus from "@armoricore/bus/nats/NatsBus"
import * as EmbeddedEngine from "@armoricore/embedded/EmbeddedEngine"
import * as EmbeddedState from "@armoricore/state/embedded/EmbeddedState"
import * as NatsState from "@armoricore/state/nats/NatsState"
import { Effect, Layer } from "effect"

export const adaptersFor = (nats: string | undefined, folder: string, replicas: number) =>
  nats === undefined || nats === ""
    ? Layer.mergeAll(EmbeddedBus.layer, EmbeddedState.layer).pipe(Layer.provide(EmbeddedEngine.layerShared({ folder })))
    : NatsState.layer({ replicas }).pipe(
        Layer.provideMerge(
          NatsBus.layerWithConnection({ servers: nats.split(","), maxBytes: 64 * 1024 ** 2, replicas }),
        ),
      )

export const busAndState = adaptersFor(
  process.env["CHAOS_NATS"],
  process.env["CHAOS_FOLDER"] ?? "",
  Number(process.env["CHAOS_REPLICAS"] ?? 1),
)

/** Ends with SIGTERM. */
export const untilSigterm = Effect.callback<void>((resume) => {
  process.once("SIGTERM", () => resume(Effect.void))
})
