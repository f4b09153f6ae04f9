/** What needs a person, in sentences, worst first: the part of the overview that somebody reads at three in the morning. */
import type { BusStatus } from "@armoricore/bus/EventBus"
import type { Departed, NodeInfo } from "@armoricore/worker/ControlPlane"
import type { Pause } from "@armoricore/worker/Switchboard"
import type { OwnCircuit } from "./api/Circuit.ts"
import type { Overview } from "./api/Overview.ts"

type Attention = Overview["attention"][number]

/** A message that nobody has handled for so long is stuck, or its workers are too few. */
const oldMillis = 5 * 60_000
/** So long a crash is news where others do the work. */
const recentMillis = 15 * 60_000
/** A process that is busier than this answers late. */
const busy = 0.9

export const attentionOf = (
  { dead_letters, nodes, queues, sample, silent }: Omit<Overview, "attention">,
  open: ReadonlyArray<typeof OwnCircuit.Type>,
  pauses: ReadonlyArray<Pause>,
  bus: BusStatus,
  running: ReadonlyArray<NodeInfo>,
  departed: ReadonlyArray<Departed>,
): ReadonlyArray<Attention> => {
  const faults: Array<Attention> = []
  const warnings: Array<Attention> = []
  const fault = (view: string, message: string) => void faults.push({ level: "fault", view, message })
  const warn = (view: string, message: string) => void warnings.push({ level: "warning", view, message })

  if (bus === "disconnected")
    fault("overview", "The bus is not connected: nothing is published or handled until it is back.")
  for (const node of silent) fault("overview", `The process ${node} does not answer.`)
  // Without the bus nobody is heard, and that is the fault.
  const gone = bus === "disconnected" ? [] : departed
  const run = new Set(running.flatMap(({ services }) => services))
  for (const service of new Set(gone.flatMap(({ info }) => info.services).filter((name) => !run.has(name)))) {
    const last = gone.findLast(({ info }) => info.services.includes(service))
    if (last === undefined) continue
    const since = spanOf(sample.at - last.heardAt)
    if (last.orderly) warn("overview", `No process runs ${service}: ${last.info.node} ended ${since} ago.`)
    else fault("overview", `No process runs ${service}: ${last.info.node} has not been heard of for ${since}.`)
  }
  for (const { heardAt, info, orderly } of gone) {
    const past = sample.at - heardAt
    if (orderly || past > recentMillis || !info.services.every((service) => run.has(service))) continue
    warn("overview", `The process ${info.node} has not been heard of for ${spanOf(past)}; others do its work.`)
  }
  for (const { name, status } of open) {
    if (status === "waiting")
      fault("providers", `${name} has a fault of configuration: its messages wait until it is mended.`)
    else warn("providers", `${name} is out of order and is ${status === "probing" ? "being tried" : "not called"}.`)
  }
  for (const { by, name } of pauses) warn("providers", `${name} is paused by ${by}: its messages wait.`)
  for (const { name, oldest_millis, waiting } of queues) {
    if (oldest_millis > oldMillis && waiting > 0) {
      warn("overview", `${waiting} messages wait before ${name}, the oldest for ${spanOf(oldest_millis)}.`)
    }
  }
  for (const { loop_busy, node } of nodes) {
    if (loop_busy > busy) warn("overview", `The process ${node} is ${Math.round(loop_busy * 100)} % busy.`)
  }
  if (dead_letters.count > 0) {
    const many = dead_letters.more ? `More than ${dead_letters.count}` : `${dead_letters.count}`
    warn("dead-letters", `${many} dead ${dead_letters.count === 1 ? "letter waits" : "letters wait"} for a decision.`)
  }
  return [...faults, ...warnings]
}

const spanOf = (millis: number): string => {
  if (millis < 60_000) return `${Math.round(millis / 1_000)} s`
  const minutes = Math.round(millis / 60_000)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`
}
