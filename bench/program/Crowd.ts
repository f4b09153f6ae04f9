/** A crowd of clients in a process of its own, as the bench uses it. */
import { fork } from "node:child_process"
import { join } from "node:path"
import { Effect } from "effect"
import type { CrowdCommand, CrowdReport } from "./Protocol.ts"

export interface Crowd {
  readonly send: (command: CrowdCommand) => void
  readonly request: <R extends CrowdReport["report"]>(
    command: CrowdCommand,
    report: R,
  ) => Effect.Effect<Extract<CrowdReport, { report: R }>>
}

/** Ends with the scope. */
export const startCrowd = Effect.gen(function* () {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => fork(join(import.meta.dirname, "clients.ts"))),
    (running) =>
      Effect.callback<void>((resume) => {
        running.once("exit", () => resume(Effect.void))
        running.disconnect()
      }),
  )
  const isReport = <R extends CrowdReport["report"]>(
    report: CrowdReport,
    wanted: R,
  ): report is Extract<CrowdReport, { report: R }> => report.report === wanted
  const crowd: Crowd = {
    send: (command) => void child.send(command),
    request: (command, wanted) =>
      Effect.callback((resume) => {
        const listen = (report: CrowdReport) => {
          if (!isReport(report, wanted)) return
          child.off("message", listen)
          resume(Effect.succeed(report))
        }
        child.on("message", listen)
        child.send(command)
      }),
  }
  return crowd
})

export const ofAll = <A>(all: ReadonlyArray<Crowd>, effect: (crowd: Crowd, index: number) => Effect.Effect<A>) =>
  Effect.forEach(all, effect, { concurrency: "unbounded" })
