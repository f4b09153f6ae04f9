/**
 * The whole installation at a glance: every process is asked how it fares, and what they say is put together into one
 * sample. While somebody watches, and for a while after that, a sample is made every two seconds and kept, so that
 * whoever comes finds the charts filled; nobody watching costs nothing.
 */
import { EventBus } from "@armoricore/bus/EventBus"
import { ControlPlane, type NodeInfo } from "@armoricore/worker/ControlPlane"
import { Switchboard } from "@armoricore/worker/Switchboard"
import { Clock, Context, Duration, Effect, Layer, PubSub, RcRef, Semaphore, Stream } from "effect"
import { attentionOf } from "./Attention.ts"
import type { Counters, JobTimes, Node, Overview, Queue, Sample, Vitals } from "./api/Overview.ts"
import { worstOf } from "./Circuits.ts"
import { JobBoard } from "./JobBoard.ts"
import * as NodeAnswers from "./NodeAnswers.ts"

export class Monitor extends Context.Service<
  Monitor,
  {
    /** As it is now, with what is known of the last minutes. */
    readonly overview: Effect.Effect<Overview>
    /** The same, then one without history every two seconds. */
    readonly watch: Stream.Stream<Overview>
  }
>()("@armoricore/operator/Monitor") {
  static readonly layer: Layer.Layer<Monitor, never, ControlPlane | EventBus | JobBoard> = Layer.effect(
    Monitor,
    Effect.suspend(() => make),
  )
}

const every = Duration.seconds(2)
/** Ten minutes. */
const kept = 300
/** How long sampling goes on after the last one looked. */
const idle = Duration.minutes(10)
/** Dead letters are counted up to here, this often. */
const countedLetters = 500
const countEvery = 10_000

interface Seen {
  readonly at: number
  readonly vitals: Vitals
}

const make = Effect.gen(function* () {
  const bus = yield* EventBus
  const plane = yield* ControlPlane
  const board = yield* Switchboard
  const jobs = yield* JobBoard
  const history: Array<Sample> = []
  const samples = yield* PubSub.sliding<Overview>(2)
  const turn = Semaphore.makeUnsafe(1)
  let before: ReadonlyMap<string, Seen> = new Map()
  let letters = { at: 0, count: 0, more: false }
  let last: { readonly at: number; readonly overview: Overview } | undefined

  const countLetters = Effect.fnUntraced(function* (now: number) {
    if (now - letters.at < countEvery) return letters
    const found = yield* bus.deadLetters.list({ limit: countedLetters })
    letters = { at: now, count: found.length, more: found.length === countedLetters }
    return letters
  })

  const take = Effect.gen(function* () {
    const at = yield* Clock.currentTimeMillis
    const infos = yield* plane.nodes
    // At once: who is silent is waited for only once.
    const [vitals, circuits] = yield* Effect.all(
      [plane.ask(NodeAnswers.vitals, undefined), plane.ask(NodeAnswers.circuits, undefined)],
      { concurrency: 2 },
    )
    const { answers } = vitals
    // What cannot be read, as from another version, is no better than silence.
    const silent = [...vitals.silent, ...vitals.failures.map(({ node }) => node)]
    const counted = yield* Effect.catch(countLetters(at), () => Effect.succeed(letters))
    const none = { stages: {}, ready: 0, failed: 0 }
    const counts = yield* Effect.catch(jobs.counts, () => Effect.succeed(none))
    const seen = new Map(answers.map(({ node, value }) => [node, { at, vitals: value }]))
    const queues = queuesOf(answers.map(({ value }) => value))
    const sample: Sample = {
      at,
      rates: ratesOf(before, seen),
      sockets: answers.reduce((sum, { value }) => sum + value.sockets, 0),
      waiting: queues.reduce((sum, { waiting }) => sum + waiting, 0),
      job_seconds: jobSecondsOf(before, seen),
    }
    before = seen
    const pauses = board.pauses()
    const open = [...worstOf(circuits.answers).values()].filter(({ status }) => status !== "closed")
    const overview = {
      sample,
      history: [],
      nodes: infos.flatMap((info) => nodeOf(info, seen.get(info.node)?.vitals)),
      silent,
      queues,
      jobs: counts,
      dead_letters: { count: counted.count, more: counted.more },
      troubled: [...new Set([...open.map(({ name }) => name), ...pauses.map(({ name }) => name)])].sort(),
    }
    const busStatus = yield* bus.status
    const told: Overview = {
      ...overview,
      attention: attentionOf(overview, open, pauses, busStatus, infos, yield* plane.departed),
    }
    history.push(sample)
    if (history.length > kept) history.shift()
    last = { at, overview: told }
    yield* PubSub.publish(samples, told)
    return told
  })

  /** Askers at the same moment share a sample. */
  const latest = turn.withPermits(1)(
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      if (last !== undefined && now - last.at < Duration.toMillis(every) / 2) return last.overview
      return yield* take
    }),
  )

  const sampling = yield* RcRef.make({
    acquire: Effect.forkScoped(
      Effect.forever(
        Effect.andThen(
          turn
            .withPermits(1)(take)
            .pipe(Effect.catchCause((cause) => Effect.logError("the installation could not be looked at", cause))),
          Effect.sleep(every),
        ),
      ),
    ),
    idleTimeToLive: idle,
  })
  const withHistory = Effect.map(latest, (overview) => ({ ...overview, history: [...history] }))

  return Monitor.of({
    overview: Effect.scoped(Effect.andThen(RcRef.get(sampling), withHistory)),
    watch: Stream.unwrap(
      Effect.gen(function* () {
        yield* RcRef.get(sampling)
        const next = yield* PubSub.subscribe(samples)
        return Stream.concat(Stream.fromEffect(withHistory), Stream.fromSubscription(next))
      }),
    ),
  })
})

const nodeOf = (info: NodeInfo, vitals: Vitals | undefined): ReadonlyArray<Node> => {
  if (vitals === undefined) return []
  const { cpu, log_level, loop_busy, memory } = vitals
  return [{ ...info, cpu, log_level, loop_busy, memory }]
}

/** Processes that share a durable see the same queue; those of one that saw it later see more. */
const queuesOf = (all: ReadonlyArray<Vitals>): ReadonlyArray<Queue> => {
  const queues = new Map<string, Queue>()
  for (const queue of all.flatMap((vitals) => vitals.queues)) {
    const known = queues.get(queue.name)
    queues.set(
      queue.name,
      known === undefined
        ? queue
        : {
            ...queue,
            waiting: Math.max(queue.waiting, known.waiting),
            in_flight: Math.max(queue.in_flight, known.in_flight),
            oldest_millis: Math.max(queue.oldest_millis, known.oldest_millis),
          },
    )
  }
  return [...queues.values()].sort((a, b) => b.waiting - a.waiting || (a.name < b.name ? -1 : 1))
}

export const noCounts: Counters = {
  events_in: 0,
  events_out: 0,
  jobs: 0,
  jobs_failed: 0,
  retries: 0,
  dead_letters: 0,
  notifications: 0,
  broadcasts: 0,
  deliveries: 0,
}

/** A process that is new, or restarted, counts from its next sample on. */
const ratesOf = (before: ReadonlyMap<string, Seen>, now: ReadonlyMap<string, Seen>): Counters => {
  const rates = { ...noCounts }
  for (const [node, { at, vitals }] of now) {
    const was = before.get(node)
    if (was === undefined || at <= was.at) continue
    for (const name of counterNames) {
      const grown = vitals.counters[name] - was.vitals.counters[name]
      rates[name] += Math.max(0, grown) / ((at - was.at) / 1000)
    }
  }
  for (const name of counterNames) rates[name] = Math.round(rates[name] * 100) / 100
  return rates
}
const isCounter = (name: string): name is keyof Counters => name in noCounts
const counterNames = Object.keys(noCounts).filter(isCounter)

const jobSecondsOf = (before: ReadonlyMap<string, Seen>, now: ReadonlyMap<string, Seen>): Sample["job_seconds"] => {
  let [count, sum] = [0, 0]
  const buckets = new Map<number, number>()
  const add = ({ buckets: more, count: n, sum: seconds }: JobTimes, sign: 1 | -1) => {
    count += sign * n
    sum += sign * seconds
    for (const { count: within, le } of more) {
      const bound = le ?? Number.POSITIVE_INFINITY
      buckets.set(bound, (buckets.get(bound) ?? 0) + sign * within)
    }
  }
  for (const [node, { vitals }] of now) {
    const was = before.get(node)
    if (was === undefined) continue
    for (const times of vitals.times) add(times, 1)
    for (const times of was.vitals.times) add(times, -1)
  }
  if (count <= 0) return null
  const bounds = [...buckets].sort(([a], [b]) => a - b)
  const largest = bounds.findLast(([bound]) => Number.isFinite(bound))?.[0] ?? 0
  const p95 = bounds.find(([, within]) => within >= 0.95 * count)?.[0] ?? largest
  return { mean: Math.max(0, sum) / count, p95: Number.isFinite(p95) ? p95 : largest }
}
