/** What is counted of children. */
import { Effect, Metric, type Scope } from "effect"

export const childProcesses = Metric.gauge("armoricore_child_processes", {
  description: "Child processes that run now: ffmpeg, ffprobe, speech programs",
})

const running = new Map<string, number>()

/** A child of this program lives as long as the scope. */
export const trackProcess = (program: string): Effect.Effect<void, never, Scope.Scope> => {
  const name = program.split(/[/\\]/).at(-1) ?? program
  const add = (step: 1 | -1) =>
    Effect.suspend(() => {
      const now = (running.get(name) ?? 0) + step
      running.set(name, now)
      return Metric.update(Metric.withAttributes(childProcesses, { program: name }), now)
    })
  return Effect.acquireRelease(add(1), () => add(-1))
}
