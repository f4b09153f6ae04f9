/** What is said of processes that are gone. */
import { attentionOf } from "@armoricore/operator/Attention"
import { noCounts } from "@armoricore/operator/Monitor"
import type { NodeInfo } from "@armoricore/worker/ControlPlane"
import { assert, describe, it } from "@effect/vitest"

const process = (node: string, ...services: ReadonlyArray<string>): NodeInfo => ({
  node,
  host: "h",
  pid: 1,
  services,
  version: "1",
  started_at: 0,
})

const now = 10_000_000
const quiet: Parameters<typeof attentionOf>[0] = {
  sample: {
    at: now,
    rates: noCounts,
    sockets: 0,
    waiting: 0,
    job_seconds: null,
  },
  history: [],
  nodes: [],
  silent: [],
  queues: [],
  jobs: { stages: {}, ready: 0, failed: 0 },
  dead_letters: { count: 0, more: false },
  troubled: [],
}

const said = (
  running: ReadonlyArray<NodeInfo>,
  departed: Parameters<typeof attentionOf>[5],
  bus: "connected" | "disconnected" = "connected",
) => attentionOf(quiet, [], [], bus, running, departed).map(({ level, message }) => `${level} ${message}`)

describe("processes that are gone", () => {
  it("a service that nobody ran any more after a crash was said to be well", () => {
    const crashed = { info: process("w1", "media", "ai"), heardAt: now - 180_000, orderly: false }
    assert.deepStrictEqual(said([process("r", "realtime")], [crashed]), [
      "fault No process runs media: w1 has not been heard of for 3 min.",
      "fault No process runs ai: w1 has not been heard of for 3 min.",
    ])
    const other = process("w2", "media", "ai")
    assert.deepStrictEqual(said([other], [crashed]), [
      "warning The process w1 has not been heard of for 3 min; others do its work.",
    ])
    assert.deepStrictEqual(said([other], [{ ...crashed, heardAt: now - 3_600_000 }]), [])
  })

  it("who ended in order is missed where nobody took over; a deploy is no news", () => {
    const ended = { info: process("w1", "media"), heardAt: now - 30_000, orderly: true }
    assert.deepStrictEqual(said([process("w2", "media")], [ended]), [])
    assert.deepStrictEqual(said([process("r", "realtime")], [ended]), [
      "warning No process runs media: w1 ended 30 s ago.",
    ])
  })

  it("nobody is missed while the bus is away, for then nobody can be heard", () => {
    const crashed = { info: process("w1", "media"), heardAt: now - 180_000, orderly: false }
    assert.lengthOf(said([], [crashed], "disconnected"), 1)
  })
})
