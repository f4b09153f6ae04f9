/** The program: parses the command line, runs one command, ends with its exit code. */
import { NodeRuntime } from "@effect/platform-node"
import { program } from "./Cli.ts"

export const main = (): void => {
  NodeRuntime.runMain(program(process.argv.slice(2)), { disableErrorReporting: true })
}
