import * as OpenAiCompatible from "./OpenAiCompatible.ts";
import * as Pocketsphinx from "./Pocketsphinx.ts";
import * as WhisperCli from "./WhisperCli.ts";
const descriptors = [OpenAiCompatible.descriptor, WhisperCli.descriptor, Pocketsphinx.descriptor];
export const speechEngines = descriptors;
export const engineNames = speechEngines.map(({ name }) => name);
export const localEngineNames = speechEngines
    .filter(({ isLocal }) => isLocal)
    .map(({ name }) => name);
export const findEngine = (name) => speechEngines.find((engine) => engine.name === name);
