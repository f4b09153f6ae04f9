/** All speech engines. A new engine is one file with its Layer and descriptor, and one line here. */
import type { EngineDescriptor } from "./EngineDescriptor.ts"
import * as OpenAiCompatible from "./OpenAiCompatible.ts"
import * as Pocketsphinx from "./Pocketsphinx.ts"
import * as WhisperCli from "./WhisperCli.ts"

const descriptors = [OpenAiCompatible.descriptor, WhisperCli.descriptor, Pocketsphinx.descriptor] as const

export type SpeechSettings = Parameters<typeof OpenAiCompatible.descriptor.layer>[0] &
  Parameters<typeof WhisperCli.descriptor.layer>[0]
export type EngineName = (typeof descriptors)[number]["name"]

export const speechEngines: ReadonlyArray<EngineDescriptor<SpeechSettings, EngineName>> = descriptors
export const engineNames: ReadonlyArray<EngineName> = speechEngines.map(({ name }) => name)
export const localEngineNames: ReadonlyArray<string> = speechEngines
  .filter(({ isLocal }) => isLocal)
  .map(({ name }) => name)

export const findEngine = (name: string): EngineDescriptor<SpeechSettings, EngineName> | undefined =>
  speechEngines.find((engine) => engine.name === name)
