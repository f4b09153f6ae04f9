/** Workflows in files: every `.json`, `.yaml` and `.yml` file of the folder is one. All are validated at start. */
import { describeSchemaError } from "@armoricore/domain/SchemaErrors"
import type { Instruction } from "@armoricore/domain/WorkflowRun"
import { ConfigurationError } from "@armoricore/domain/Errors"
import { Effect, FileSystem, Path, Schema } from "effect"
import { compile, Workflow } from "./Workflow.ts"

export interface CompiledWorkflow extends Omit<Workflow, "steps"> {
  readonly instructions: ReadonlyArray<Instruction>
}

const decode = Schema.decodeUnknownEffect(Workflow, { onExcessProperty: "error" })

/** An invalid file fails the start with an error that names the file and the field. */
export const load = Effect.fnUntraced(function* (
  folder: string,
): Effect.fn.Return<ReadonlyArray<CompiledWorkflow>, ConfigurationError, FileSystem.FileSystem | Path.Path> {
  const fs = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  const invalid = (problem: string) =>
    new ConfigurationError({ setting: "NOTIFY_WORKFLOWS", message: `NOTIFY_WORKFLOWS: ${problem}` })
  const files = yield* Effect.mapError(fs.readDirectory(folder), () =>
    invalid(`${folder} cannot be read; set it to a folder of workflows`),
  )
  const workflows = yield* Effect.forEach(
    files.filter((file) => /\.(json|ya?ml)$/.test(file)).toSorted(),
    Effect.fnUntraced(function* (file) {
      const content = yield* Effect.mapError(fs.readFileString(join(folder, file)), () =>
        invalid(`${file} cannot be read; allow this user to read it`),
      )
      return yield* Effect.mapError(parse(content), (why) => invalid(`${file} ${why}`))
    }),
  )
  const names = workflows.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  return twice === undefined ? workflows : yield* invalid(`two files have the workflow ${twice}; rename one`)
})

/** JSON is YAML. The error is a clause that follows the file's name. */
export const parse = Effect.fnUntraced(function* (content: string): Effect.fn.Return<CompiledWorkflow, string> {
  const { parse: parseYaml } = yield* Effect.promise(() => import("yaml"))
  const value = yield* Effect.try({
    try: (): unknown => parseYaml(content),
    catch: (cause) => `is neither JSON nor YAML: ${cause instanceof Error ? cause.message.split("\n")[0] : ""}`,
  })
  const workflow = yield* Effect.mapError(
    decode(value),
    (error) => `is not a workflow: ${describeSchemaError(error, { input: value, whole: "the file" }).message}`,
  )
  const { steps: _steps, ...fields } = workflow
  return { ...fields, instructions: yield* compile(workflow) }
})
