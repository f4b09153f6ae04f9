import { eventually } from "@armoricore/testing/Eventually"
import * as GeneratedCertificate from "@armoricore/testing/GeneratedCertificate"
import * as TcpProxy from "@armoricore/testing/TcpProxy"
import * as NatsServer from "@armoricore/testing/NatsServer"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Logger, Queue, Redacted, Stream } from "effect"
import { connect } from "node:net"
import * as Address from "../../src/Address.ts"
import { type Delivery, EventBus } from "../../src/EventBus.ts"
import * as ServerFaults from "@armoricore/nats/ServerFaults"
import * as NatsBus from "../../src/nats/NatsBus.ts"
import { NatsConnection } from "@armoricore/nats/NatsConnection"
import { behaviourSuite } from "../support/BehaviourSuite.ts"

const program = Programs.requireProgram("nats-server")
const openssl = Programs.requireProgram("openssl")
const maxBytes = 64 * 1024 ** 2
const from = Address.event("media.ready")

/** Publishes until the bus takes it, as the ledger's owner would. */
const send = (bus: EventBus["Service"], id: string) =>
  bus
    .publish({ address: from, id, body: new TextEncoder().encode(id) })
    .pipe(Effect.retry({ while: (error) => error._tag === "TransientError" }), Effect.timeout("30 seconds"))

/** As no client would: the bytes of the headers as they are. */
const publishRaw = (port: number, subject: string, headers: string, body: string) =>
  Effect.callback<void>((resume) => {
    const socket = connect(port, "127.0.0.1", () => {
      const size = Buffer.byteLength(headers)
      socket.write('CONNECT {"headers":true,"verbose":false,"pedantic":false}\r\n')
      socket.write(`HPUB ${subject} ${size} ${size + body.length}\r\n${headers}${body}\r\nPING\r\n`)
    })
    socket.on("data", (bytes: Buffer) => {
      if (bytes.includes("PONG")) resume(Effect.sync(() => void socket.destroy()))
    })
  })

const consume = Effect.fnUntraced(function* (bus: EventBus["Service"]) {
  const got = yield* Queue.unbounded<Delivery>()
  yield* bus.consume({ name: "worker", from, concurrency: 4 }, (delivery) =>
    Effect.as(Queue.offer(got, delivery), { _tag: "Ack" } as const),
  )
  return Effect.timeout(
    Effect.map(Queue.take(got), ({ id }) => id),
    "30 seconds",
  )
})

describe.skipIf(program.missing)("on a real nats-server", () => {
  behaviourSuite({
    open: Effect.map(NatsServer.make(), ({ url }) =>
      Effect.sync(() => NatsBus.layerWithConnection({ servers: [url], maxBytes })),
    ),
    shared: true,
  })

  it.live("a stream that is created again loses no dead letter to the ids of the former one", () =>
    // regression: the new dead letter had the id of an old one and was dropped, while its message was acknowledged
    Effect.gen(function* () {
      const server = yield* NatsServer.make()
      const letters = Effect.gen(function* () {
        const bus = yield* EventBus
        yield* bus.consume({ name: "worker", from, concurrency: 1 }, ({ body }) =>
          Effect.succeed({
            _tag: "DeadLetter",
            deadLetter: { address: Address.deadLetter("media", "media.ready"), body },
          } as const),
        )
        yield* send(bus, crypto.randomUUID())
        return bus
      })
      const count = (bus: EventBus["Service"], wanted: number) =>
        eventually(
          Effect.map(bus.deadLetters.list({ limit: 10 }), (all) => all.length),
          (length) => length >= wanted,
        )
      const layer = NatsBus.layerWithConnection({ servers: [server.url], maxBytes })
      yield* Effect.gen(function* () {
        const bus = yield* letters
        assert.strictEqual(yield* count(bus, 1), 1)
        const { manager } = yield* (yield* NatsConnection).jetstream
        yield* Effect.promise(() => manager.streams.delete("ARMORICORE"))
      }).pipe(Effect.scoped, Effect.provide(layer))
      yield* Effect.gen(function* () {
        assert.strictEqual(yield* count(yield* letters, 2), 2)
      }).pipe(Effect.scoped, Effect.provide(layer))
    }).pipe(Effect.provide(Logger.layer([]))),
  )

  it.live("consumers and subscribers start while the link is cut again and again", () =>
    // regression: a cut during the start ended the process with "listen: DISCONNECT"
    Effect.gen(function* () {
      const server = yield* NatsServer.make()
      const proxy = yield* TcpProxy.make(server.port)
      const cuts = yield* Effect.forkScoped(
        Effect.forever(Effect.andThen(proxy.resetConnections, Effect.sleep("35 millis"))),
      )
      yield* Effect.forkScoped(Effect.andThen(Effect.sleep("4 seconds"), Fiber.interrupt(cuts)))
      const servers = [`nats://127.0.0.1:${proxy.port}`]
      yield* Effect.forEach(
        Array.from({ length: 6 }, (_, index) => index),
        (index) =>
          Effect.gen(function* () {
            const bus = yield* EventBus
            yield* bus.subscribe("all-events", () => {}).pipe(Effect.timeout("30 seconds"))
            yield* bus
              .consume({ name: `worker-${index}`, from, concurrency: 1 }, () =>
                Effect.succeed({ _tag: "Ack" } as const),
              )
              .pipe(Effect.timeout("30 seconds"))
          }).pipe(Effect.scoped, Effect.provide(NatsBus.layerWithConnection({ servers, maxBytes }))),
        { concurrency: "unbounded" },
      )
    }).pipe(Effect.provide(Logger.layer([]))),
  )

  it.live.skipIf(openssl.missing)("a TLS fault is named, with the setting to check", () =>
    // regression: it read as "No NATS server answers"
    Effect.gen(function* () {
      const tls = yield* GeneratedCertificate.make(openssl.path)
      const other = yield* GeneratedCertificate.make(openssl.path)
      const { port } = yield* NatsServer.make(["--tls", "--tlscert", tls.cert, "--tlskey", tls.key])
      const faultOf = (options: { readonly ca?: string }) =>
        Effect.gen(function* () {
          const bus = yield* EventBus
          const error = yield* Effect.flip(bus.publish({ address: from, id: "a", body: new Uint8Array() }))
          return error.message
        }).pipe(
          Effect.provide(
            NatsBus.layerWithConnection({
              servers: [`tls://localhost:${port}`],
              maxBytes,
              ...(options.ca === undefined ? {} : { ca: options.ca }),
            }),
          ),
        )
      assert.match(
        yield* faultOf({}),
        /^TLS to the NATS server at localhost:\d+ fails: .*; set NATS_CA to the CA that signed it/,
      )
      assert.match(yield* faultOf({ ca: other.ca }), /^TLS to the NATS server .* check that NATS_CA is the CA/)
    }).pipe(Effect.provide(Logger.layer([]))),
  )

  it.live("delivers a message with a header that the client cannot decode, and the messages after it", () =>
    Effect.gen(function* () {
      const server = yield* NatsServer.make()
      yield* Effect.gen(function* () {
        const bus = yield* EventBus
        const got = yield* Queue.unbounded<Delivery>()
        yield* bus.consume({ name: "worker", from, concurrency: 2 }, (delivery) =>
          Effect.as(Queue.offer(got, delivery), {
            _tag: "DeadLetter",
            deadLetter: {
              address: Address.deadLetter("media", "media.ready"),
              body: delivery.body,
              headers: delivery.headers,
            },
          } as const),
        )
        const raw: ReadonlyArray<readonly [string, string]> = [
          ["NATS/1.0\r\nbad name\u0001: x\r\nok: y\r\nNats-Msg-Id: name\r\n\r\n", ""],
          ["NATS/1.0\r\nbad name\u0001: x\r\nok: y\r\nNats-Msg-Id: name\r\n\r\n", "body"],
          ["NATS/1.0\r\nvalue: x\ny\r\nok: y\r\nNats-Msg-Id: value\r\n\r\n", "body"],
          ["HELLO/1.0\r\nbad name: x\r\nok: y\r\nNats-Msg-Id: version\r\n\r\n", "body"],
          ["NATS/1.0 503\r\nok: y\r\nNats-Msg-Id: code\r\n\r\n", ""],
          ["NATS/1.0 409 Consumer Deleted\r\nok: y\r\nNats-Msg-Id: code\r\n\r\n", ""],
          ["NATS/1.0\r\nok: y\r\nNats-Sequence: 1\r\nNats-Msg-Id: sequence\r\n\r\n", "body"],
        ]
        for (const [index, [headers, body]] of raw.entries()) {
          const unique = headers.replace("Nats-Msg-Id: ", `Nats-Msg-Id: ${index}-`)
          yield* publishRaw(server.port, "armoricore.media.ready", unique, body)
          const { body: came, headers: left } = yield* Effect.timeout(Queue.take(got), "30 seconds")
          assert.deepStrictEqual([new TextDecoder().decode(came), left], [body, { ok: "y" }])
        }
        const letters = yield* bus.deadLetters
          .list({ limit: 100 })
          .pipe(Effect.repeat({ until: ({ length }) => length === raw.length }), Effect.timeout("30 seconds"))
        assert.deepStrictEqual(
          letters.map(({ headers }) => headers),
          raw.map(() => ({ ok: "y" })),
        )
      }).pipe(Effect.scoped, Effect.provide(NatsBus.layerWithConnection({ servers: [server.url], maxBytes })))
    }).pipe(Effect.provide(Logger.layer([]))),
  )

  it.live("creates a consumer again that was deleted, and continues", () =>
    Effect.gen(function* () {
      const server = yield* NatsServer.make()
      yield* Effect.gen(function* () {
        const bus = yield* EventBus
        const { manager } = yield* (yield* NatsConnection).jetstream
        const next = yield* consume(bus)
        yield* send(bus, "before")
        assert.strictEqual(yield* next, "before")
        yield* Effect.promise(() => manager.consumers.delete("ARMORICORE", "worker"))
        yield* send(bus, "after")
        // The new consumer starts from the beginning of the stream.
        assert.deepStrictEqual([yield* next, yield* next], ["before", "after"])
      }).pipe(Effect.scoped, Effect.provide(NatsBus.layerWithConnection({ servers: [server.url], maxBytes })))
    }).pipe(Effect.provide(Logger.layer([]))),
  )

  it.live("dead-letters a message whose workers all died", () =>
    Effect.gen(function* () {
      const server = yield* NatsServer.make()
      yield* Effect.gen(function* () {
        const bus = yield* EventBus
        const { client, manager } = yield* (yield* NatsConnection).jetstream
        const consume = Effect.scoped(
          bus.consume(
            {
              name: "worker",
              from,
              concurrency: 1,
              ackWait: Duration.millis(200),
              maxDeliveries: 1,
              onMaxDeliveries: ({ body }) =>
                Effect.succeed({ deadLetter: { address: Address.deadLetter("media", "media.ready"), body } }),
            },
            () => Effect.die("never reached"),
          ),
        )
        yield* consume
        yield* send(bus, "deadly")
        // Workers that lease it and never respond.
        const take = Effect.promise(() =>
          client.request("$JS.API.CONSUMER.MSG.NEXT.ARMORICORE.worker", JSON.stringify({ batch: 1, expires: 8e8 }), {
            timeout: 1_500,
            // A pulled message keeps its own subject; the client's shared inbox matches replies by subject.
            noMux: true,
          }),
        )
        const bodies: Array<string> = []
        for (let deliveries = 0; deliveries < 3; deliveries++) bodies.push((yield* take).string())
        assert.deepStrictEqual(bodies, ["deadly", "deadly", "deadly"])
        // The server stops delivering and publishes the advisory at the next pull.
        yield* take
        const info = yield* Effect.promise(() => manager.streams.info("ARMORICORE_ADVISORY"))
        assert.strictEqual(info.state.messages, 1)
        yield* Effect.gen(function* () {
          yield* bus.consume(
            {
              name: "worker",
              from,
              concurrency: 1,
              maxDeliveries: 1,
              onMaxDeliveries: ({ body }) =>
                Effect.succeed({ deadLetter: { address: Address.deadLetter("media", "media.ready"), body } }),
            },
            () => Effect.die("never reached"),
          )
          const letters = yield* bus.deadLetters
            .list({ limit: 10 })
            .pipe(Effect.repeat({ until: ({ length }) => length > 0 }), Effect.timeout("10 seconds"))
          assert.deepStrictEqual(
            letters.map(({ body, id }) => [new TextDecoder().decode(body), id.replace(/\d+$/, "TIME")]),
            [["deadly", "dlq:worker:1:TIME"]],
          )
        }).pipe(Effect.scoped)
      }).pipe(Effect.scoped, Effect.provide(NatsBus.layerWithConnection({ servers: [server.url], maxBytes })))
    }).pipe(Effect.provide(Logger.layer([]))),
  )

  it.live("goes on after the server was killed and started again; the status says so", () =>
    Effect.gen(function* () {
      const server = yield* NatsServer.make()
      yield* Effect.gen(function* () {
        const bus = yield* EventBus
        const statuses = (status: string) =>
          Effect.timeout(Stream.runHead(Stream.filter(bus.statusChanges, (seen) => seen === status)), "20 seconds")
        const next = yield* consume(bus)
        yield* send(bus, "before")
        assert.strictEqual(yield* next, "before")
        yield* server.kill
        yield* statuses("disconnected")
        const error = yield* Effect.flip(bus.publish({ address: from, id: "x", body: new Uint8Array() }))
        assert.strictEqual(error._tag, "TransientError")
        yield* server.restart
        yield* statuses("connected")
        yield* send(bus, "after")
        const received = yield* next
        // The kill may precede the acknowledgement of the first one, which then comes again.
        assert.strictEqual(received === "before" ? yield* next : received, "after")
      }).pipe(Effect.scoped, Effect.provide(NatsBus.layerWithConnection({ servers: [server.url], maxBytes })))
    }).pipe(Effect.provide(Logger.layer([]))),
  )

  it.live("a server that comes later is found; publishing meanwhile is refused as unavailable", () =>
    Effect.gen(function* () {
      const server = yield* NatsServer.make()
      yield* server.kill
      yield* Effect.gen(function* () {
        const bus = yield* EventBus
        const error = yield* Effect.flip(bus.publish({ address: from, id: "x", body: new Uint8Array() }))
        assert.strictEqual(error._tag, "TransientError")
        assert.include(error.message, String(server.port))
        yield* server.restart
        const next = yield* consume(bus)
        yield* send(bus, "late")
        assert.strictEqual(yield* next, "late")
      }).pipe(Effect.scoped, Effect.provide(NatsBus.layerWithConnection({ servers: [server.url], maxBytes })))
    }).pipe(Effect.provide(Logger.layer([]))),
  )

  it.live(
    "refused credentials are a configuration error without the password; right ones work, also in the address",
    () =>
      Effect.gen(function* () {
        const server = yield* NatsServer.make(["--user", "ann", "--pass", "s3cret"])
        const setup = Effect.flatMap(EventBus, (bus) => bus.setup([]))
        const refused = yield* Effect.flip(
          Effect.provide(
            setup,
            NatsBus.layerWithConnection({
              servers: [server.url],
              user: "ann",
              password: Redacted.make("wr0ng"),
              maxBytes,
            }),
          ),
        )
        assert.strictEqual(refused._tag, "ConfigurationError")
        assert.notInclude(refused.message, "wr0ng")
        const right = { servers: [server.url.replace("nats://", "nats://ann:s3cret@")], maxBytes }
        assert.lengthOf(yield* Effect.provide(setup, NatsBus.layerWithConnection(right)), 4)
      }).pipe(Effect.provide(Logger.layer([]))),
  )

  it.live("what differs is updated where NATS allows it, and refused by name where it does not", () =>
    Effect.gen(function* () {
      const server = yield* NatsServer.make()
      const setup = (bytes: number) =>
        Effect.flatMap(EventBus, (bus) => bus.setup([{ name: "worker", from }])).pipe(
          Effect.provide(NatsBus.layerWithConnection({ servers: [server.url], maxBytes: bytes })),
        )
      yield* setup(maxBytes)
      // The layer itself has brought the streams to the new size when setup looks.
      yield* setup(2 * maxBytes)
      const foreign = yield* Effect.gen(function* () {
        const { manager } = yield* (yield* NatsConnection).jetstream
        const { config } = yield* Effect.promise(() => manager.streams.info("ARMORICORE"))
        assert.strictEqual(config.max_bytes, 2 * maxBytes)
        yield* Effect.promise(() => manager.streams.delete("ARMORICORE_WORK"))
        yield* Effect.promise(() => manager.streams.add({ name: "ARMORICORE_WORK", subjects: ["armoricore-work.>"] }))
        return yield* Effect.flip(setup(maxBytes))
      }).pipe(Effect.provide(NatsBus.layerWithConnection({ servers: [server.url], maxBytes: 2 * maxBytes })))
      assert.strictEqual(foreign._tag, "ConfigurationError")
      assert.include(foreign.message, "ARMORICORE_WORK")
      assert.include(foreign.message, "retention")
    }).pipe(Effect.provide(Logger.layer([]))),
  )

  it.live("a lower size limit deletes no event that is stored, handled or not", () =>
    Effect.gen(function* () {
      const server = yield* NatsServer.make()
      const setup = (bytes: number) =>
        Effect.flatMap(EventBus, (bus) => bus.setup([])).pipe(
          Effect.provide(NatsBus.layerWithConnection({ servers: [server.url], maxBytes: bytes })),
        )
      yield* setup(maxBytes)
      yield* Effect.gen(function* () {
        const bus = yield* EventBus
        for (let id = 0; id < 6; id++) {
          yield* bus.publish({ address: from, id: String(id), body: new Uint8Array(500_000) })
        }
        const refused = yield* Effect.flip(setup(4_000_000))
        assert.deepInclude(refused, { _tag: "ConfigurationError", setting: "NATS_EVENTS_MAX_BYTES" })
        yield* setup(maxBytes / 2)
        const { manager } = yield* (yield* NatsConnection).jetstream
        const { config, state } = yield* Effect.promise(() => manager.streams.info("ARMORICORE"))
        assert.deepInclude(state, { messages: 6, first_seq: 1 })
        assert.strictEqual(config.max_bytes, maxBytes / 2)
      }).pipe(Effect.provide(NatsBus.layerWithConnection({ servers: [server.url], maxBytes })))
    }).pipe(Effect.provide(Logger.layer([]))),
  )
})

it("recognises the NATS versions with a fault that needs another request or a warning", () => {
  const versions = ["2.9.10", "2.9.25", "2.10.4", "2.10.5-beta", "2.10.5", "2.10.24", "2.10.25", "2.11.0", "3.0.0", ""]
  assert.deepStrictEqual(versions.filter(ServerFaults.discardsOldWhenFull), ["2.9.10", "2.9.25", "2.10.4"])
  assert.deepStrictEqual(versions.filter(ServerFaults.losesMessagesOfSubjects), versions.slice(0, 6))
})
