/** What every command stands on: the settings of the environment, and logs as they say. */
import { Effect, Layer } from "effect"
import * as Logs from "../Logs.ts"
import { Settings } from "../Settings.ts"

const layer = Logs.layer.pipe(Layer.provideMerge(Settings.layer))

export const settled = Effect.provide(layer)
