/** The static facts of a speech engine: `SpeechEngineRegistry` lists one descriptor for each engine. */
import type { FfmpegPrograms } from "@armoricore/ffmpeg/FfmpegPrograms"
import type { FileSystem, Layer, Path } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import type { SpeechEngine } from "../SpeechEngine.ts"

/** The services that an engine may use. */
export type EngineServices =
  | FileSystem.FileSystem
  | Path.Path
  | FfmpegPrograms
  | ChildProcessSpawner.ChildProcessSpawner

export interface EngineDescriptor<Settings, Name extends string = string> {
  /** The value of `SPEECH_ENGINE`. */
  readonly name: Name
  /** Runs on this machine, so `SPEECH_FALLBACK` may name it: it works while a server is unavailable. */
  readonly isLocal: boolean
  /** Settings that are paths of files: they must exist at the start. */
  readonly fileSettings: ReadonlyArray<keyof Settings & string>
  readonly layer: (settings: Settings) => Layer.Layer<SpeechEngine, never, EngineServices>
  /** One line for `armoricore doctor`. */
  readonly describe: (settings: Settings) => string
  /** One sentence for each missing setting; `reason` says which setting selects the engine. */
  readonly missingSettings: (settings: Settings, reason: string) => ReadonlyArray<string>
}
