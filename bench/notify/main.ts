/**
 * The overhead of a delivery over the provider's protocol. By turns in one run, against one sink in a process of
 * its own:
 *
 * - pushes: the raw node:http2 loop, 100 in flight, which looks at each answer, against the whole worker (bus, ledger, state, in memory);
 * - the least that a durable sender does, by hand on the same ports: the limit for lone pushes;
 * - pushes to a sink that answers after 80 ms, as far as a real provider is away;
 * - e-mails: raw nodemailer with 5 connections and the same mail, against the whole worker.
 *
 * Pushes and e-mails are measured with 100 recipients in one event and with one. CPU seconds are this process's alone.
 * Usage: `npm run bench:notify [-- rounds [pushes [mails [case,case]]]]`. With names of cases, only those run, and no results
 * are written.
 */
import { event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { KeyValue } from "@armoricore/state/KeyValue"
import { notificationStates } from "@armoricore/state/NotificationStates"
import { Attachments } from "@armoricore/notify/request/Attachments"
import { DeliveryPolicy } from "@armoricore/notify/delivery/DeliveryPolicy"
import { fromText } from "@armoricore/notify/request/Html"
import * as NotifyService from "@armoricore/notify/NotifyService"
import { ProviderRegistry } from "@armoricore/notify/provider/Provider"
import * as Apns from "@armoricore/notify/providers/push/Apns"
import * as Smtp from "@armoricore/notify/providers/email/Smtp"
import { Suppressions } from "@armoricore/notify/unsubscribe/Suppressions"
import { Templates } from "@armoricore/notify/request/Templates"
import { UnsubscribeLinks } from "@armoricore/notify/unsubscribe/UnsubscribeLinks"
import { Testing } from "@armoricore/testing"
import { certificate } from "@armoricore/testing/fakes/TestCertificate"
import { runBenchmark } from "../cli.ts"
import { Console, Deferred, Duration, Effect, Layer, Redacted, Schema } from "effect"
import { fork } from "node:child_process"
import { generateKeyPairSync } from "node:crypto"
import * as Http2 from "node:http2"
import { fileURLToPath } from "node:url"
import { createTransport } from "nodemailer"
import * as Results from "../Results.ts"
import { rawPush } from "./RawPush.ts"

const rounds = Number(process.argv[2] ?? 2)
const pushes = Number(process.argv[3] ?? 20_000)
const mails = Number(process.argv[4] ?? 3_000)
const only = process.argv[5]?.split(",")
/** At 100 in flight and 80 ms, one round takes a few seconds. */
const slowPushes = Math.ceil(pushes / 4)
const inFlight = 100
const connections = 5

interface Measured {
  readonly rate: number
  readonly cpu: number
}

const measure = <E, R>(count: number, effect: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function* () {
    const cpu = process.cpuUsage()
    const started = performance.now()
    yield* effect
    const used = process.cpuUsage(cpu)
    return {
      rate: count / ((performance.now() - started) / 1000),
      cpu: (used.user + used.system) / 1e6,
    } satisfies Measured
  })

const Ports = Schema.Struct({ push: Schema.Int, slowPush: Schema.Int, mail: Schema.Int })

const sink = Effect.acquireRelease(
  Effect.sync(() => fork(fileURLToPath(new URL("./sink.ts", import.meta.url)))),
  (child) => Effect.sync(() => child.kill()),
).pipe(
  Effect.flatMap((child) =>
    Effect.callback<unknown>((resume) => void child.once("message", (ports) => resume(Effect.succeed(ports)))),
  ),
  Effect.flatMap(Schema.decodeUnknownEffect(Ports)),
)

const tokenOf = (index: number) => index.toString(16).padStart(64, "0")
const addressOf = (index: number) => `user${index}@example.org`

/** `width` workers share the numbers from 0 to `count`. */
const runConcurrently = (count: number, width: number, one: (index: number) => Promise<void>) =>
  Effect.promise(async () => {
    let next = 0
    const lane = async () => {
      for (let index = next++; index < count; index = next++) await one(index)
    }
    await Promise.all(Array.from({ length: width }, lane))
  })

const pushSession = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<Http2.ClientHttp2Session>((resume) => {
      const session = Http2.connect(`https://localhost:${port}`, { ca: certificate })
      session.once("remoteSettings", () => resume(Effect.succeed(session)))
    }),
    (session) => Effect.sync(() => session.destroy()),
  )

const acceptedPush = async (session: Http2.ClientHttp2Session, token: string) => {
  const { isForThis, status } = await rawPush(session, token)
  if (status !== 200 || !isForThis) throw new Error(`answered with ${status}`)
}

const rawPushes = (port: number, count: number) =>
  Effect.scoped(
    Effect.flatMap(pushSession(port), (session) =>
      runConcurrently(count, inFlight, (index) => acceptedPush(session, tokenOf(index))),
    ),
  )

const parseRequest = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({
      event_id: Schema.String,
      payload: Schema.Struct({ recipients: Schema.Tuple([Schema.Struct({ apns_token: Schema.String })]) }),
    }),
  ),
)

/**
 * The least that a durable sender does, by hand on the same ports: take an event, decode it, store that it is being sent,
 * call, publish the result, acknowledge. It has no retries, timeouts, leases, refusals, metrics, traces and no state that
 * can be asked for.
 */
const handWrittenSender = (port: number) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const state = yield* KeyValue
    const session = yield* pushSession(port)
    yield* bus.consume({ name: "by-hand", from: event("notification.requested"), concurrency: inFlight }, ({ body }) =>
      Effect.gen(function* () {
        const text = new TextDecoder().decode(body)
        const { event_id, payload } = parseRequest(text)
        yield* state.create(notificationStates.bucket, event_id, text)
        yield* Effect.promise(() => acceptedPush(session, payload.recipients[0].apns_token))
        const result = { event_type: "notification.sent", event_id: `${event_id}.sent`, source: "notify", payload }
        yield* bus.publish({
          address: event("notification.sent"),
          id: result.event_id,
          body: new TextEncoder().encode(JSON.stringify(result)),
        })
        return { _tag: "Ack" as const }
      }).pipe(Effect.orDie),
    )
  })

const rawMails = (port: number) =>
  Effect.acquireUseRelease(
    Effect.sync(() =>
      createTransport({
        host: "127.0.0.1",
        port,
        ignoreTLS: true,
        pool: true,
        maxConnections: connections,
        maxMessages: Infinity,
      }),
    ),
    (transport) =>
      runConcurrently(mails, 20, async (index) => {
        await transport.sendMail({
          from: "no-reply@example.com",
          to: addressOf(index),
          subject: "Hello",
          text: "World",
          html: fromText("Hello", "World"),
          messageId: `<${crypto.randomUUID()}.email.0123456789abcdef@example.com>`,
        })
      }),
    (transport) => Effect.sync(() => transport.close()),
  )

/** Publishes and waits for the final event of each. */
const throughWorker = (count: number, each: number, payloadOf: (from: number) => object) =>
  Effect.gen(function* () {
    const bus = yield* EventBus
    const done = yield* Deferred.make<void>()
    const events = Math.ceil(count / each)
    let left = events
    yield* bus.subscribe(event("notification.sent"), () => {
      left--
      if (left === 0) Deferred.doneUnsafe(done, Effect.void)
    })
    const run = Math.random().toString(36).slice(2)
    yield* Effect.forEach(
      Array.from({ length: events }, (_, index) => index),
      (index) =>
        bus.publish({
          address: event("notification.requested"),
          id: `${run}-${index}`,
          body: Buffer.from(
            JSON.stringify({
              event_type: "notification.requested",
              event_id: crypto.randomUUID(),
              timestamp: "2026-01-31T12:00:00+01:00",
              source: "php-backend",
              payload: { user_id: "u", title: "Hello", body: "World", ...payloadOf(index * each) },
            }),
          ),
        }),
      { discard: true },
    )
    yield* Deferred.await(done)
  })

const pushesOf = (each: number) => (from: number) => ({
  notification_type: "push",
  recipients: Array.from({ length: each }, (_, at) => ({ apns_token: tokenOf(from + at) })),
})
const mailsOf = (each: number) => (from: number) => ({
  notification_type: "email",
  recipients: Array.from({ length: each }, (_, at) => ({ email: addressOf(from + at) })),
})

const service = (ports: Omit<typeof Ports.Type, "slowPush">) => {
  const key = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey.export({
    format: "pem",
    type: "pkcs8",
  })
  const routes = Layer.merge(
    Apns.layer({
      key: Redacted.make(String(key)),
      keyId: "k",
      teamId: "t",
      topic: "com.example",
      baseUrl: `https://localhost:${ports.push}`,
      ca: certificate,
    }),
    Smtp.layer({ url: Redacted.make(`smtp://127.0.0.1:${ports.mail}`), from: "no-reply@example.com", connections }),
  )
  return NotifyService.layer.pipe(
    Layer.provide(routes),
    Layer.provide([
      ProviderRegistry.layer(),
      Templates.layer(),
      Attachments.layer({ buckets: [] }),
      Suppressions.layer,
      UnsubscribeLinks.layerNone,
      Layer.effect(
        DeliveryPolicy,
        Effect.map(DeliveryPolicy, (usual) => ({ ...usual, concurrency: inFlight, callTimeout: Duration.seconds(60) })),
      ),
    ]),
    Layer.provideMerge(Testing.layer),
  )
}

const best = (all: ReadonlyArray<Measured>): Measured =>
  all.toSorted((a, b) => b.rate - a.rate)[0] ?? { rate: 0, cpu: 0 }

const program = Effect.gen(function* () {
  const ports = yield* sink
  const found: Record<string, Array<Measured>> = {}
  const cases = {
    rawPush: measure(pushes, rawPushes(ports.push, pushes)),
    push100: measure(pushes, throughWorker(pushes, 100, pushesOf(100))).pipe(Effect.provide(service(ports))),
    push1: measure(pushes, throughWorker(pushes, 1, pushesOf(1))).pipe(Effect.provide(service(ports))),
    byHand1: measure(pushes, Effect.andThen(handWrittenSender(ports.push), throughWorker(pushes, 1, pushesOf(1)))).pipe(
      Effect.provide(Testing.layer),
    ),
    rawSlowPush: measure(slowPushes, rawPushes(ports.slowPush, slowPushes)),
    slowPush1: measure(slowPushes, throughWorker(slowPushes, 1, pushesOf(1))).pipe(
      Effect.provide(service({ ...ports, push: ports.slowPush })),
    ),
    rawMail: measure(mails, rawMails(ports.mail)),
    mail100: measure(mails, throughWorker(mails, 100, mailsOf(100))).pipe(Effect.provide(service(ports))),
    mail1: measure(mails, throughWorker(mails, 1, mailsOf(1))).pipe(Effect.provide(service(ports))),
  }
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(cases)) {
      if (only?.includes(name) === false) continue
      const figures = yield* Effect.scoped(run)
      ;(found[name] ??= []).push(figures)
      yield* Console.log(`${name}: ${Math.round(figures.rate)}/s, ${figures.cpu.toFixed(2)} CPU s`)
    }
  }
  if (only !== undefined) return
  const of = (name: keyof typeof cases) => best(found[name] ?? [])
  const row = (title: string, name: keyof typeof cases, raw: keyof typeof cases, aim: string) => {
    const { cpu, rate } = of(name)
    const least = Math.min(...(found[name] ?? []).map((one) => one.cpu))
    const leastRaw = Math.min(...(found[raw] ?? []).map((one) => one.cpu))
    const ratios = name === raw ? ["", ""] : [(rate / of(raw).rate).toFixed(2), (leastRaw / least).toFixed(2)]
    return [title, Math.round(rate).toLocaleString("en"), cpu.toFixed(2), ...ratios, aim]
  }
  const leastCpu = (name: keyof typeof cases) => Math.min(...(found[name] ?? []).map((one) => one.cpu))
  const byHand = (leastCpu("byHand1") / leastCpu("push1")).toFixed(2)
  const about = `${pushes.toLocaleString("en")} pushes (${slowPushes.toLocaleString("en")} to the sink that answers after 80 ms) over one TLS session, ${inFlight} at once; ${mails.toLocaleString("en")} e-mails over ${connections} connections. Bus, ledger and state in memory; best of ${rounds} rounds by turns. CPU is this process's alone, the sink has its own.`
  const limits = `A lone push through the worker costs the CPU of the hand-written sender divided by ${byHand}; aim: at least 0.35. The hand-written sender is the limit: it takes an event, stores that it is being sent, calls, publishes the result and acknowledges, and has no retries, timeouts, leases, decisions, judgement of refusals, metrics, traces, validation or state that can be asked for.`
  const table = Results.markdownTable([
    ["case", "targets/s", "CPU s", "rate of the raw loop", "CPU of the raw loop", "aim"],
    row("raw node:http2 loop", "rawPush", "rawPush", ""),
    row("pushes through the worker, 100 recipients an event", "push100", "rawPush", "≥ 0.45"),
    row("pushes by hand on the same ports, 1 recipient an event", "byHand1", "rawPush", ""),
    row("pushes through the worker, 1 recipient an event", "push1", "rawPush", "≥ 0.45"),
    row("raw node:http2 loop, the sink answers after 80 ms", "rawSlowPush", "rawSlowPush", ""),
    row(
      "pushes through the worker, 1 recipient an event, the sink answers after 80 ms",
      "slowPush1",
      "rawSlowPush",
      "≥ 0.45",
    ),
    row("raw nodemailer", "rawMail", "rawMail", ""),
    row("e-mails through the worker, 100 recipients an event", "mail100", "rawMail", "≥ 0.7"),
    row("e-mails through the worker, 1 recipient an event", "mail1", "rawMail", "≥ 0.7"),
  ])
  yield* Results.writeSection("notify", "npm run bench:notify", `${about}\n\n${table}\n\n${limits}`)
})

runBenchmark(program)
