/**
 * What ordinary use costs, measured on the whole program: `armoricore start` as a process, driven from outside. Beside it, by
 * turns in one run, two rooms without anything else: raw `ws`, and a server that coalesces all frames of a turn.
 *
 * - chat in a room of 1,000: 200 of them write, 8 and 64 messages in flight; and 20 messages a second;
 * - 1,000 reactions a second to the latest 10 messages of that room, by turns of all its users;
 * - chat of 8 writers alone: what a message costs beyond its fan-out;
 * - 1,000 people connect at once, each with a token and one chat room.
 *
 * CPU is the server process's own, all threads; subscribers run in other processes. On NATS, the CPU of nats-server is not
 * included. Usage: `npm run bench:program [-- rounds [server]]`; with a server only that one runs, and nothing is written.
 */
import * as Tokens from "@armoricore/auth/Tokens"
import { Console, Duration, Effect, Redacted } from "effect"
import { runBenchmark } from "../cli.ts"
import * as Results from "../Results.ts"
import { ofAll, startCrowd } from "./Crowd.ts"
import { secret, type SubjectKind, subjectKinds } from "./Protocol.ts"
import * as Subject from "./Subject.ts"

const rounds = Number(process.argv[2] ?? 2)
const only = process.argv[3]
const subscribers = 1000
const writers = 200
const crowds = 2
const busyMessages = { 8: 500, 64: 1000 } as const
const loneMessages = 1000
const pacedMessages = 80
const reactionsPerSecond = 1000
const reactionSeconds = 5

/** The server is at rest: what a message caused, such as moderation, is done. */
const atRest = Effect.fnUntraced(function* (subject: Subject.Subject) {
  for (let before = Number.NaN; ;) {
    const now = subject.cpuSeconds()
    if (now - before < 0.02) return now
    before = now
    yield* Effect.sleep(Duration.millis(400))
  }
})

const measure = Effect.fnUntraced(function* (subject: Subject.Subject, tokens: ReadonlyArray<string>) {
  const all = yield* Effect.forEach(Array.from({ length: crowds }), () => startCrowd)
  const { port } = subject
  const share = (count: number, index: number) => tokens.slice((count / crowds) * index, (count / crowds) * (index + 1))
  const connect = (count: number, topic: string) =>
    ofAll(all, (crowd, index) =>
      crowd.request({ order: "connect", port, tokens: share(count, index), topic }, "connected"),
    )
  const cost = Effect.fnUntraced(function* <A>(work: Effect.Effect<A>) {
    const before = yield* atRest(subject)
    const from = performance.now()
    const value = yield* work
    const seconds = (performance.now() - from) / 1000
    return { cpu: (yield* atRest(subject)) - before, seconds, value }
  })
  const write = (messages: number, inFlight: number, by: number) =>
    cost(
      Effect.gen(function* () {
        yield* ofAll(all, (crowd) =>
          crowd.request(
            { order: "write", messages: messages / crowds, inFlight: inFlight / crowds, writers: by / crowds },
            "written",
          ),
        )
        yield* ofAll(all, (crowd) => crowd.request({ order: "receive", broadcasts: messages }, "received"))
      }),
    )

  yield* connect(8, "chat:room:lone")
  // Code that is compiled and optimised by the first messages does not count.
  yield* write(1000, 8, 8)
  const lone = yield* write(loneMessages, 8, 8)
  const storm = yield* cost(connect(subscribers, "chat:room:lone"))
  yield* connect(subscribers, "chat:room:bench")
  yield* write(40, 8, writers)
  const at8 = yield* write(busyMessages[8], 8, writers)
  const at64 = yield* write(busyMessages[64], 64, writers)
  const paced = yield* cost(
    Effect.gen(function* () {
      for (const crowd of all.slice(1)) crowd.send({ order: "pace", messages: 0, everyMillis: 50 })
      const [first] = all
      if (first !== undefined)
        yield* first.request({ order: "pace", messages: pacedMessages, everyMillis: 50 }, "written")
      return yield* ofAll(all, (crowd) => crowd.request({ order: "receive", broadcasts: pacedMessages }, "received"))
    }),
  )
  const isOurs = subject.kind.startsWith("armoricore")
  const ids = isOurs ? yield* latestIds(port, tokens[0] ?? "") : []
  const reactions = isOurs
    ? yield* cost(
        ofAll(all, (crowd) =>
          crowd.request(
            { order: "react", ids, perSecond: reactionsPerSecond / crowds, seconds: reactionSeconds },
            "reacted",
          ),
        ),
      )
    : undefined
  const reactionFrames = reactions?.value.reduce((sum, { frames }) => sum + frames, 0) ?? Number.NaN
  const late = paced.value.flatMap((report) => report.late).sort((a, b) => a - b)
  const perMillion = (cpu: number, messages: number) => (cpu / (messages * subscribers)) * 1e6
  return {
    at8: perMillion(at8.cpu, busyMessages[8]),
    rateAt8: (busyMessages[8] * subscribers) / at8.seconds,
    at64: perMillion(at64.cpu, busyMessages[64]),
    paced: perMillion(paced.cpu, pacedMessages),
    p50: late[Math.floor(late.length * 0.5)] ?? Number.NaN,
    p99: late[Math.floor(late.length * 0.99)] ?? Number.NaN,
    lone: (lone.cpu / loneMessages) * 1000,
    reaction: ((reactions?.cpu ?? Number.NaN) / (reactionsPerSecond * reactionSeconds)) * 1000,
    reactionDelivery: ((reactions?.cpu ?? Number.NaN) / reactionFrames) * 1e6,
    connection: (storm.cpu / subscribers) * 1000,
    stormSeconds: storm.seconds,
  }
}, Effect.scoped)

/** Of the latest 10 messages of the room. */
const latestIds = (port: number, token: string) =>
  Effect.promise(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/v1/topics/chat:room:bench/messages?limit=10`, {
      headers: { authorization: `Bearer ${token}` },
    })
    const { messages } = (await response.json()) as { readonly messages: ReadonlyArray<{ readonly id: string }> }
    return messages.map(({ id }) => id)
  })

type Measured = Effect.Success<ReturnType<typeof measure>>

const program = Effect.gen(function* () {
  const signer = yield* Tokens.Tokens
  const tokens = yield* Effect.forEach(
    Array.from({ length: subscribers }, (_, index) => index),
    (index) =>
      signer.sign({ userId: `user-${index}`, roles: index === 0 ? ["publisher"] : [], ttl: Duration.hours(1) }),
  )
  const kinds = subjectKinds.filter((kind) => only === undefined || kind === only)
  const found = new Map<SubjectKind, Array<Measured>>(kinds.map((kind) => [kind, []]))
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) {
      const result = yield* Effect.scoped(Effect.flatMap(Subject.start(kind), (subject) => measure(subject, tokens)))
      yield* Console.log(kind, JSON.stringify(result))
      found.get(kind)?.push(result)
    }
  }
  if (only !== undefined) return
  const least = (kind: SubjectKind, value: (result: Measured) => number) =>
    Math.min(...(found.get(kind) ?? []).map(value))
  const cell = (kind: SubjectKind, value: (result: Measured) => number, digits = 2) => {
    const own = least(kind, value)
    return `${own.toFixed(digits)}${kind === "ws" ? "" : ` (${(own / least("ws", value)).toFixed(2)})`}`
  }
  const head = [
    "server",
    "8 in flight: CPU s per 1M deliveries",
    "deliveries/s",
    "64 in flight: CPU s per 1M",
    "20 messages/s: CPU s per 1M",
    "p50 / p99 ms",
    "CPU ms a message of 8 writers alone",
    "CPU ms a connection with one join",
    "1,000 reactions/s: CPU s per 1M deliveries",
    "CPU ms a reaction",
  ]
  const rows = kinds.map((kind) => [
    kind,
    cell(kind, ({ at8 }) => at8),
    `${(-least(kind, ({ rateAt8 }) => -rateAt8) / 1000).toFixed(0)}k`,
    cell(kind, ({ at64 }) => at64),
    cell(kind, ({ paced }) => paced),
    `${least(kind, ({ p50 }) => p50).toFixed(1)} / ${cell(kind, ({ p99 }) => p99, 1)}`,
    least(kind, ({ lone }) => lone).toFixed(2),
    least(kind, ({ connection }) => connection).toFixed(2),
    ...[least(kind, ({ reactionDelivery }) => reactionDelivery), least(kind, ({ reaction }) => reaction)].map((value) =>
      Number.isNaN(value) ? "–" : value.toFixed(2),
    ),
  ])
  const body = [
    `A room of ${subscribers}; ${writers} of them write; the best of ${rounds} rounds; in brackets, parts of raw \`ws\` that encodes each broadcast once. \`limit\` writes all frames of a turn at once. CPU of nats-server is not included.`,
    Results.markdownTable([head, ...rows]),
    "Aim: at most 2.5 CPU s and 0.30 of raw `ws` at 8 in flight, 1.2 CPU s at 64, at most 1.1 of its CPU and 1.2 of its p99 at 20 messages/s; 0.8 CPU ms a message beyond its fan-out; 0.15 CPU ms a connection; for reactions at most the CPU per delivery of 20 messages/s. Raw `ws` has neither tokens nor rooms.",
  ].join("\n\n")
  yield* Results.writeSection("program", "npm run bench:program", body)
  yield* Console.log(body)
})

runBenchmark(Effect.provide(program, Tokens.layer({ keys: { _tag: "Secret", secret: Redacted.make(secret) } })))
