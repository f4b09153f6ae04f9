/**
 * A push to an audience, against the raw node:http2 loop with as many pushes, by turns: one half of the raw loop before the
 * send, the other behind it. The sink throttles: the first push to every hundredth device is answered with 429. Every device
 * must get one push, and every member a final state. CPU seconds are this process's alone, with the thread of its engine.
 * Memory is that of this process, looked at four times a second: its highest value in the first and in the last quarter of
 * the send.
 *
 * Usage: `npm run bench:audience [-- members [embedded | memory]]`; default 100,000 members on the embedded bus and state, whose
 * data is on disk. Results are written for at least 100,000 members.
 */
import * as EmbeddedBus from "@armoricore/bus/embedded/EmbeddedBus"
import { ephemeral, event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import * as EmbeddedEngine from "@armoricore/embedded/EmbeddedEngine"
import * as NotifyService from "@armoricore/notify/NotifyService"
import { ProviderRegistry } from "@armoricore/notify/provider/Provider"
import * as Apns from "@armoricore/notify/providers/push/Apns"
import { Attachments } from "@armoricore/notify/request/Attachments"
import { Templates } from "@armoricore/notify/request/Templates"
import { Suppressions } from "@armoricore/notify/unsubscribe/Suppressions"
import { UnsubscribeLinks } from "@armoricore/notify/unsubscribe/UnsubscribeLinks"
import { isEnded } from "@armoricore/domain/AudienceChunk"
import { encodeId } from "@armoricore/domain/EncodedId"
import { audienceChunks } from "@armoricore/state/AudienceChunks"
import { Audiences } from "@armoricore/state/Audiences"
import * as Collection from "@armoricore/state/Collection"
import * as EmbeddedState from "@armoricore/state/embedded/EmbeddedState"
import { userDevices } from "@armoricore/state/UserDevices"
import { Testing } from "@armoricore/testing"
import { certificate } from "@armoricore/testing/fakes/TestCertificate"
import { Ledger } from "@armoricore/worker/ledger/Ledger"
import { Console, Deferred, Effect, FileSystem, Layer, Redacted, Schema } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { generateKeyPairSync } from "node:crypto"
import * as Http2 from "node:http2"
import { fileURLToPath } from "node:url"
import { runBenchmark } from "../cli.ts"
import { rawPush } from "../notify/RawPush.ts"
import * as Results from "../Results.ts"

const members = Number(process.argv[2] ?? 100_000)
const isEmbedded = process.argv[3] !== "memory"
const inFlight = 100

const Counted = Schema.Struct({ devices: Schema.Int, twice: Schema.Int, throttled: Schema.Int })
const decodeCounted = Schema.decodeUnknownEffect(Counted)
const decodePort = Schema.decodeUnknownEffect(Schema.Struct({ port: Schema.Int }))

const nextMessage = (child: ChildProcess) =>
  Effect.callback<unknown>((resume) => void child.once("message", (message) => resume(Effect.succeed(message))))

const sink = Effect.gen(function* () {
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => fork(fileURLToPath(new URL("./sink.ts", import.meta.url)), ["throttle"])),
    (forked) => Effect.sync(() => forked.kill()),
  )
  const { port } = yield* Effect.flatMap(nextMessage(child), decodePort)
  const counted = Effect.suspend(() => {
    child.send("count")
    return Effect.flatMap(nextMessage(child), decodeCounted)
  })
  return { port, counted }
})

/** 64 hexadecimal digits; every hundredth ends with 00. */
const tokenOf = (index: number) => `${Math.floor(index / 100)}`.padStart(62, "0") + `${index % 100}`.padStart(2, "0")
const userOf = (index: number) => `user-${index}`

const cpuSeconds = () => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e6
}

interface Measured {
  readonly seconds: number
  readonly cpu: number
}

const measure = <E, R>(effect: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function* () {
    const [cpu, at] = [cpuSeconds(), performance.now()]
    yield* effect
    return { seconds: (performance.now() - at) / 1000, cpu: cpuSeconds() - cpu } satisfies Measured
  })

/** Repeats what was throttled at the end. */
const rawLoop = (port: number, from: number, to: number) =>
  Effect.promise(async () => {
    const session = Http2.connect(`https://localhost:${port}`, { ca: certificate })
    const again: Array<string> = []
    let next = from
    const lane = async () => {
      for (let index = next++; index < to; index = next++) {
        const token = tokenOf(index)
        if ((await rawPush(session, token)).status !== 200) again.push(token)
      }
    }
    await Promise.all(Array.from({ length: inFlight }, lane))
    for (const token of again) await rawPush(session, token)
    session.destroy()
  })

/** Writes the registered devices in pages, as `UserDevices` stores them. */
const fill = Effect.gen(function* () {
  const audiences = yield* Audiences
  const devices = yield* Collection.make(userDevices)
  const registered_at = new Date().toISOString()
  // One change of each of the 1,024 documents of an audience in a few large steps.
  for (let from = 0; from < members; from += 100_000) {
    const count = Math.min(100_000, members - from)
    yield* audiences.add(
      "fans",
      Array.from({ length: count }, (_, at) => userOf(from + at)),
    )
  }
  for (let from = 0; from < members; from += 1_000) {
    const count = Math.min(1_000, members - from)
    yield* devices.writeMany(
      Array.from({ length: count }, (_, at) => ({
        key: `user.${encodeId(userOf(from + at))}`,
        value: { devices: [{ device_id: "d", platform: "ios" as const, token: tokenOf(from + at), registered_at }] },
        revision: 0,
      })),
    )
  }
})

const decodeProgress = Schema.decodeUnknownSync(
  Schema.fromJsonString(Schema.Struct({ payload: Schema.Struct({ status: Schema.String }) })),
)

/** Until the send is done. */
const send = Effect.gen(function* () {
  const bus = yield* EventBus
  const done = yield* Deferred.make<void>()
  yield* bus.subscribe(ephemeral("notification.progress"), ({ body }) => {
    if (decodeProgress(new TextDecoder().decode(body)).payload.status === "done") Deferred.doneUnsafe(done, Effect.void)
  })
  const payload = { user_id: "shop", audience: "fans", notification_type: "push", title: "Hello", body: "World" }
  const request = {
    event_type: "notification.requested",
    event_id: crypto.randomUUID(),
    timestamp: new Date().toISOString(),
    source: "php-backend",
    payload,
  }
  yield* bus.publish({
    address: event("notification.requested"),
    id: request.event_id,
    body: new TextEncoder().encode(JSON.stringify(request)),
  })
  yield* Deferred.await(done)
})

/** Members by the kind of their final state, as the chunks have them. */
const finalStates = Effect.gen(function* () {
  const counts = new Map<string, number>()
  yield* Collection.forEach(
    yield* Collection.make(audienceChunks),
    ({ value }) =>
      Effect.sync(() => {
        for (const member of value.members) {
          const kind = value.kinds[member.r?.[0]?.k ?? -1]
          const state = isEnded(member) ? (kind?.status ?? "no target") : "open"
          counts.set(state, (counts.get(state) ?? 0) + 1)
        }
      }),
    "",
    20,
  )
  return [...counts].map(([state, count]) => `${count.toLocaleString("en")} ${state}`).join(", ")
})

const service = (port: number) => {
  const key = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey.export({
    format: "pem",
    type: "pkcs8",
  })
  const baseUrl = `https://localhost:${port}`
  return NotifyService.layer.pipe(
    Layer.provide(
      Apns.layer({
        key: Redacted.make(String(key)),
        keyId: "k",
        teamId: "t",
        topic: "com.example",
        baseUrl,
        ca: certificate,
      }),
    ),
    Layer.provide([
      ProviderRegistry.layer(),
      Templates.layer(),
      Attachments.layer({ buckets: [] }).pipe(Layer.provide(Testing.layer)),
      Suppressions.layer,
      UnsubscribeLinks.layerNone,
    ]),
  )
}

const embeddedPorts = (folder: string) =>
  Ledger.layer.pipe(
    Layer.provideMerge(Layer.merge(EmbeddedBus.layer, EmbeddedState.layer)),
    Layer.provide(EmbeddedEngine.layerOwner({ folder })),
  )

const program = Effect.gen(function* () {
  const { counted, port } = yield* sink
  const half = Math.floor(members / 2)
  const memory: Array<number> = []
  const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "bench-audience-" })
  const ports = isEmbedded ? embeddedPorts(folder) : Testing.layer
  const sampled = Effect.sync(() => void memory.push(process.memoryUsage().rss / 2 ** 20)).pipe(
    Effect.delay("250 millis"),
    Effect.forever,
  )
  const { before, sent, states } = yield* Effect.gen(function* () {
    yield* Effect.provide(fill, Audiences.layer)
    const first = yield* measure(rawLoop(port, 0, half))
    yield* counted
    const measured = yield* measure(Effect.raceFirst(send, sampled)).pipe(Effect.provide(service(port)))
    return { before: first, sent: measured, states: yield* finalStates }
  }).pipe(Effect.provide(ports))
  const { devices, throttled, twice } = yield* counted
  const after = yield* measure(rawLoop(port, half, members))
  const raw = { seconds: before.seconds + after.seconds, cpu: before.cpu + after.cpu }
  const quarter = Math.max(1, Math.floor(memory.length / 4))
  const [first, last] = [memory.slice(0, quarter), memory.slice(-quarter)].map((part) => Math.round(Math.max(...part)))
  const row = (title: string, { cpu, seconds }: Measured, ratios: ReadonlyArray<string>) => [
    title,
    cpu.toFixed(2),
    ((cpu / members) * 1e6).toFixed(0),
    Math.round(members / seconds).toLocaleString("en"),
    ...ratios,
  ]
  const table = Results.markdownTable([
    ["case", "CPU s", "CPU µs a target", "targets/s", "CPU of the raw loop", "rate of the raw loop", "aim"],
    row("raw node:http2 loop", raw, ["", "", ""]),
    row("a push to an audience", sent, [
      (raw.cpu / sent.cpu).toFixed(2),
      (sent.seconds === 0 ? 0 : raw.seconds / sent.seconds).toFixed(2),
      "≥ 0.5",
    ]),
  ])
  const about = `One request to ${members.toLocaleString("en")} members with a device each; bus, ledger and state ${isEmbedded ? "embedded" : "in memory"}. The sink answered ${throttled.toLocaleString("en")} first pushes with 429. ${devices.toLocaleString("en")} devices got a push, ${twice} of them more than one. Final states: ${states}. Resident memory: at most ${first} MiB in the first quarter of the send, ${last} MiB in the last.`
  yield* Console.log(`${about}\n\n${table}`)
  if (members >= recordedMembers)
    yield* Results.writeSection("audience", "npm run bench:audience", `${about}\n\n${table}`)
})

/** Fewer members measure little but the start. */
const recordedMembers = 100_000

runBenchmark(program)
