/** What needs a person, in sentences, worst first: the part of the overview that somebody reads at three in the morning. */
import type { BusStatus } from "@armoricore/bus/EventBus"
import type { DepartedNode, NodeDescriptor } from "@armoricore/worker/control/NodeRpc"
import type { Pause } from "@armoricore/worker/control/CircuitRegistry"
import type { NodeCircuit } from "./api/Circuit.ts"
import type { Overview } from "./api/Overview.ts"

type HealthWarning = Overview["warnings"][number]

/** A message that nobody has handled for so long is stuck, or its workers are too few. */
const maxQueueAgeMillis = 5 * 60_000
/** So long a crash is news where others do the work. */
const crashReportMillis = 15 * 60_000
/** A process that is busier than this answers late. */
const maxEventLoopUtilization = 0.9

export const healthWarnings = (
  { dead_letters, nodes, queues, sample, unresponsive }: Omit<Overview, "warnings">,
  openCircuits: ReadonlyArray<typeof NodeCircuit.Type>,
  pauses: ReadonlyArray<Pause>,
  busStatus: BusStatus,
  running: ReadonlyArray<NodeDescriptor>,
  departed: ReadonlyArray<DepartedNode>,
): ReadonlyArray<HealthWarning> => {
  const faults: Array<HealthWarning> = []
  const warnings: Array<HealthWarning> = []
  const fault = (view: string, message: string) => void faults.push({ level: "fault", view, message })
  const warn = (view: string, message: string) => void warnings.push({ level: "warning", view, message })

  if (busStatus === "disconnected")
    fault("overview", "The bus is not connected: nothing is published or handled until it is back.")
  for (const node of unresponsive) fault("overview", `The process ${node} does not answer.`)
  // Without the bus nobody is heard, and that is the fault.
  const departedNodes = busStatus === "disconnected" ? [] : departed
  const runningServices = new Set(running.flatMap(({ services }) => services))
  for (const service of new Set(
    departedNodes.flatMap(({ descriptor }) => descriptor.services).filter((name) => !runningServices.has(name)),
  )) {
    const last = departedNodes.findLast(({ descriptor }) => descriptor.services.includes(service))
    if (last === undefined) continue
    const since = formatDuration(sample.at - last.lastSeenAt)
    if (last.graceful) warn("overview", `No process runs ${service}: ${last.descriptor.node} ended ${since} ago.`)
    else fault("overview", `No process runs ${service}: ${last.descriptor.node} has not been heard of for ${since}.`)
  }
  for (const { lastSeenAt, descriptor, graceful } of departedNodes) {
    const elapsedMillis = sample.at - lastSeenAt
    if (
      graceful ||
      elapsedMillis > crashReportMillis ||
      !descriptor.services.every((service) => runningServices.has(service))
    )
      continue
    warn(
      "overview",
      `The process ${descriptor.node} has not been heard of for ${formatDuration(elapsedMillis)}; others do its work.`,
    )
  }
  for (const { name, status } of openCircuits) {
    if (status === "waiting")
      fault("providers", `${name} has a fault of configuration: its messages wait until it is mended.`)
    else warn("providers", `${name} is out of order and is ${status === "probing" ? "being tried" : "not called"}.`)
  }
  for (const { by, name } of pauses) warn("providers", `${name} is paused by ${by}: its messages wait.`)
  for (const { name, oldest_age_millis, pending } of queues) {
    if (oldest_age_millis > maxQueueAgeMillis && pending > 0) {
      warn("overview", `${pending} messages wait before ${name}, the oldest for ${formatDuration(oldest_age_millis)}.`)
    }
  }
  for (const { event_loop_utilization, node } of nodes) {
    if (event_loop_utilization > maxEventLoopUtilization)
      warn("overview", `The process ${node} is ${Math.round(event_loop_utilization * 100)} % busy.`)
  }
  if (dead_letters.count > 0) {
    const count = dead_letters.more ? `More than ${dead_letters.count}` : `${dead_letters.count}`
    warn("dead-letters", `${count} dead ${dead_letters.count === 1 ? "letter waits" : "letters wait"} for a decision.`)
  }
  return [...faults, ...warnings]
}

const formatDuration = (millis: number): string => {
  if (millis < 60_000) return `${Math.round(millis / 1_000)} s`
  const minutes = Math.round(millis / 60_000)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`
}
