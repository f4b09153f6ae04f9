/** The program: parses the command line, runs one command, ends with its exit code. */
import { Cause, Exit, Runtime } from "effect"
import cluster from "node:cluster"
import { runCommandLine } from "./Cli.ts"

/** A command that a signal ended: one that drained has set the exit code itself. */
const teardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)) onExit(Number(process.exitCode ?? 130))
  else Runtime.defaultTeardown(exit, onExit)
}

/** Ctrl-C reaches every process of the terminal, and npm and our launcher pass on what they got: that is one signal. */
const signalDebounceMillis = 1_000

/** The first signal asks to drain, a second one ends the process at once. */
const run = Runtime.makeRunMain(({ fiber, teardown }) => {
  let signalledAt: number | undefined
  const onSignal = () => {
    // The first process gets it too, and asks its workers when their turn has come.
    if (cluster.isWorker) return
    const now = performance.now()
    if (signalledAt === undefined) {
      signalledAt = now
      fiber.interruptUnsafe(fiber.id)
    } else if (now - signalledAt > signalDebounceMillis) process.exit(1)
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal)
  fiber.addObserver((exit) =>
    teardown(exit, (code) => {
      // The channel to the first process would keep a worker alive.
      if (signalledAt !== undefined || cluster.isWorker || code !== 0) process.exit(code)
      // Whatever is open yet ends by itself, unless somebody has no patience.
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, onSignal)
    }),
  )
})

export const main = (): void => run(runCommandLine(process.argv.slice(2)), { disableErrorReporting: true, teardown })
