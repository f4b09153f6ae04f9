/** Circuits and log levels: what every process is asked to heed. */
import { ControlPlane } from "@armoricore/worker/ControlPlane"
import { Switchboard } from "@armoricore/worker/Switchboard"
import { Effect } from "effect"
import { NotDone } from "../api/Failures.ts"
import * as Circuits from "../Circuits.ts"
import * as NodeAnswers from "../NodeAnswers.ts"
import { Caller, type LogLevel } from "../OperatorApi.ts"
import { failing } from "./Failing.ts"

export const make = Effect.gen(function* () {
  const plane = yield* ControlPlane
  const board = yield* Switchboard
  const listed = Effect.provideService(Circuits.list, ControlPlane, plane)

  return {
    ListCircuits: () => listed,
    PauseCircuit: ({ name, reason }: { name: string; reason: string }) =>
      Effect.flatMap(Caller, ({ userId }) => failing(board.pause({ name, by: userId, reason }))),
    ResumeCircuit: ({ name }: { name: string }) =>
      failing(
        Effect.gen(function* () {
          const wasPaused = yield* board.resume(name)
          const { answers } = yield* plane.ask(NodeAnswers.resetCircuit, name)
          if (wasPaused || answers.some(({ value }) => value)) return
          return yield* new NotDone({ code: "not_found", message: `no process knows ${name}, and it was not paused` })
        }),
      ),
    SetLogLevel: ({ level, node }: { level: LogLevel; node?: string }) =>
      Effect.gen(function* () {
        const { answers, silent } = yield* plane.ask(NodeAnswers.logLevel, level, node)
        if (answers.length > 0) return { nodes: answers.map((answer) => answer.node), silent }
        return yield* new NotDone({
          code: "not_found",
          message: node === undefined ? "no process answered" : `no process ${node} answered`,
        })
      }),
  }
})
