/** The program: parses the command line, runs one command, ends with its exit code. */
import { NodeRuntime } from "@effect/platform-node"
import { Cause, Exit, Runtime } from "effect"
import { program } from "./Cli.ts"

/** A command that a signal ended: one that drained has set the exit code itself. */
const teardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) onExit(Number(process.exitCode ?? 130))
  else Runtime.defaultTeardown(exit, onExit)
}

/** The first signal asks to drain, the second one ends the process at once. */
const endAtSecondSignal = () => {
  let signals = 0
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      signals += 1
      if (signals > 1) process.exit(1)
    })
  }
}

export const main = (): void => {
  endAtSecondSignal()
  NodeRuntime.runMain(program(process.argv.slice(2)), { disableErrorReporting: true, teardown })
}
