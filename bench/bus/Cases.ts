/** What the cases of the bench share: the event, the measurement, a row of the table. */
import { event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { Effect } from "effect"

export const maxInFlight = 256

export const type = "media.uploaded"
const encoder = new TextEncoder()
export const bodyOf = (id: string) =>
  encoder.encode(
    JSON.stringify({
      event_type: type,
      event_id: id,
      timestamp: "2026-01-31T12:00:00+01:00",
      source: "php-backend",
      payload: {
        media_id: id,
        user_id: "42",
        file_path: "s3://media/uploads/42/clip.mp4",
        metadata: { title: "A clip" },
      },
    }),
  )

export interface Cost {
  readonly rate: number
  /** Microseconds an event. */
  readonly cpu: number
}

export const measure = <A, E, R>(count: number, effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const before = process.cpuUsage()
    const started = performance.now()
    yield* effect
    const wall = (performance.now() - started) / 1000
    const { system, user } = process.cpuUsage(before)
    return { rate: count / wall, cpu: (system + user) / count } satisfies Cost
  })

export const ids = (count: number) => Array.from({ length: count }, () => crypto.randomUUID())

export const busPublish = (batch: ReadonlyArray<string>) =>
  Effect.flatMap(EventBus, (bus) =>
    Effect.forEach(batch, (id) => bus.publish({ address: event(type), id, body: bodyOf(id) }), {
      concurrency: maxInFlight,
      discard: true,
    }),
  )

export const best = (costs: ReadonlyArray<Cost>): Cost => ({
  rate: Math.max(...costs.map(({ rate }) => rate)),
  cpu: Math.min(...costs.map(({ cpu }) => cpu)),
})

export const row = (name: string, { cpu, rate }: Cost, ratio = "", aim = "") =>
  `| ${name} | ${Math.round(rate).toLocaleString("en")} | ${cpu.toFixed(1)} | ${ratio} | ${aim} |`
