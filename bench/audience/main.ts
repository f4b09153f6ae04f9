/**
 * A push to an audience, against the raw node:http2 loop with the same pushes. The sink throttles: the first push to every
 * hundredth device is answered with 429. Every device must get one push. Memory is that of this process: its highest value in
 * the first and in the last quarter of the send.
 *
 * Usage: `npm run bench:audience [-- members [embedded | memory]]`; default 100,000 members on the embedded bus and state, whose
 * data is on disk.
 */
import * as EmbeddedBus from "@armoricore/bus/embedded/EmbeddedBus"
import { event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import * as EmbeddedEngine from "@armoricore/embedded/EmbeddedEngine"
import * as NotifyService from "@armoricore/notify/NotifyService"
import { ProviderRegistry } from "@armoricore/notify/provider/Provider"
import * as Apns from "@armoricore/notify/providers/push/Apns"
import { Attachments } from "@armoricore/notify/request/Attachments"
import { Templates } from "@armoricore/notify/request/Templates"
import { Suppressions } from "@armoricore/notify/unsubscribe/Suppressions"
import { UnsubscribeLinks } from "@armoricore/notify/unsubscribe/UnsubscribeLinks"
import { Audiences } from "@armoricore/state/Audiences"
import * as EmbeddedState from "@armoricore/state/embedded/EmbeddedState"
import { UserDevices } from "@armoricore/state/UserDevices"
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

const measure = <E, R>(effect: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function* () {
    const [cpu, at] = [cpuSeconds(), performance.now()]
    yield* effect
    return { rate: members / ((performance.now() - at) / 1000), cpu: cpuSeconds() - cpu }
  })

/** Repeats what was throttled at the end. */
const rawLoop = (port: number) =>
  Effect.promise(async () => {
    const session = Http2.connect(`https://localhost:${port}`, { ca: certificate })
    const again: Array<string> = []
    let next = 0
    const lane = async () => {
      for (let index = next++; index < members; index = next++) {
        const token = tokenOf(index)
        if ((await rawPush(session, token)).status !== 200) again.push(token)
      }
    }
    await Promise.all(Array.from({ length: inFlight }, lane))
    for (const token of again) await rawPush(session, token)
    session.destroy()
  })

const fill = Effect.gen(function* () {
  const devices = yield* UserDevices
  const audiences = yield* Audiences
  for (let from = 0; from < members; from += 1_000) {
    const count = Math.min(1_000, members - from)
    const indexes = Array.from({ length: count }, (_, at) => from + at)
    yield* audiences.add("fans", indexes.map(userOf))
    yield* Effect.forEach(
      indexes,
      (index) => devices.register(userOf(index), { device_id: "d", platform: "ios", token: tokenOf(index) }),
      { concurrency: 64, discard: true },
    )
  }
})

/** Until each member has one `notification.sent`. */
const send = (memory: Array<number>) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const done = yield* Deferred.make<void>()
    let left = members
    const sampleEvery = Math.max(1, Math.floor(members / 200))
    yield* bus.subscribe(event("notification.sent"), () => {
      left--
      if (left % sampleEvery === 0) memory.push(process.memoryUsage().rss / 2 ** 20)
      if (left === 0) Deferred.doneUnsafe(done, Effect.void)
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
  const raw = yield* measure(rawLoop(port))
  yield* counted
  const memory: Array<number> = []
  const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "bench-audience-" })
  const ports = isEmbedded ? embeddedPorts(folder) : Testing.layer
  const sent = yield* Effect.gen(function* () {
    yield* Effect.provide(fill, Layer.merge(UserDevices.layer, Audiences.layer))
    return yield* measure(send(memory)).pipe(Effect.provide(service(port)))
  }).pipe(Effect.provide(ports))
  const { devices, throttled, twice } = yield* counted
  const quarter = Math.floor(memory.length / 4)
  const [first, last] = [memory.slice(0, quarter), memory.slice(-quarter)].map((part) => Math.round(Math.max(...part)))
  const row = (title: string, { cpu, rate }: typeof raw, ratios: ReadonlyArray<string>) => [
    title,
    Math.round(rate).toLocaleString("en"),
    cpu.toFixed(2),
    ...ratios,
  ]
  const table = Results.markdownTable([
    ["case", "targets/s", "CPU s", "rate of the raw loop", "CPU of the raw loop", "aim"],
    row("raw node:http2 loop", raw, ["", "", ""]),
    row("a push to an audience", sent, [(sent.rate / raw.rate).toFixed(2), (raw.cpu / sent.cpu).toFixed(2), "≥ 0.5"]),
  ])
  const about = `One request to ${members.toLocaleString("en")} members with a device each; bus, ledger and state ${isEmbedded ? "embedded" : "in memory"}. The sink answered ${throttled.toLocaleString("en")} first pushes with 429. ${devices.toLocaleString("en")} devices got a push, ${twice} of them more than one. Resident memory: at most ${first} MiB in the first quarter of the send, ${last} MiB in the last.`
  yield* Console.log(`${about}\n\n${table}`)
  yield* Results.writeSection("audience", "npm run bench:audience", `${about}\n\n${table}`)
})

runBenchmark(program)
