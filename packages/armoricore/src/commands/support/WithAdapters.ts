/** What a command that talks to bus, state or storage stands on; it shares the data folder of a running program. */
import { DeadLetters } from "@armoricore/worker/dead-letters/DeadLetters"
import { Ledger } from "@armoricore/worker/ledger/Ledger"
import { Effect, Layer } from "effect"
import * as Adapters from "../../wiring/Adapters.ts"

const layer = DeadLetters.layer.pipe(Layer.provide(Ledger.layer), Layer.provideMerge(Adapters.layer("shared")))

export const withAdapters = Effect.provide(layer)
