import { eventually } from "@armoricore/testing/Eventually"
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { assert, describe, it } from "@effect/vitest"
import * as MemoryBus from "@armoricore/bus/memory/MemoryBus"
import { History } from "@armoricore/history/History"
import * as MemoryHistory from "@armoricore/history/memory/MemoryHistory"
import { KeyValue } from "@armoricore/state/KeyValue"
import * as MemoryState from "@armoricore/state/memory/MemoryState"
import { Context, Effect, Layer } from "effect"
import { CallLog } from "../support/RoomChannel.ts"
import { connect, listen, type RawClient, serviceOf, start, type TestServer, tokens } from "../support/TestServer.ts"

const topic = "comments:stream:s1"

const join = Effect.fnUntraced(function* (server: TestServer, user: string, payload: object = {}) {
  const client = yield* connect(server, { user })
  client.send("1", "1", topic, "phx_join", payload)
  const [, , , , { status, response }] = yield* client.next
  assert.strictEqual(status, "ok")
  return { client, response: Object(response) as Readonly<Record<string, unknown>> }
})

const next = Effect.fnUntraced(function* (client: RawClient, event: string) {
  for (;;) {
    const frame = yield* client.next
    if (frame[3] === event) return frame[4]
  }
})

const comment = Effect.fnUntraced(function* (client: RawClient, payload: object) {
  client.send("1", "2", topic, "new_comment", payload)
  const { status, response } = yield* next(client, "phx_reply")
  return { status, response: Object(response) as Readonly<Record<string, unknown>> }
})

describe("comments", () => {
  it.live("reach all subscribers and are stored", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const { client: ann } = yield* join(server, "ann")
      const { client: bob } = yield* join(server, "bob")
      const { response } = yield* comment(ann, { content: "hi", timestamp: "2026-01-31T12:00:00+01:00" })
      assert.deepStrictEqual(
        { ...response, id: "", seq: 0 },
        { id: "", seq: 0, content: "hi", user_id: "ann", stream_id: "s1", timestamp: "2026-01-31T12:00:00+01:00" },
      )
      assert.deepStrictEqual(yield* next(bob, "new_comment"), response)
      const late = yield* join(server, "late")
      assert.deepStrictEqual(late.response, { comments: [response], recovered: true, more: false })
      const since = yield* join(server, "late", { since: response["seq"] })
      assert.deepStrictEqual(since.response, { comments: [], recovered: true, more: false })
    }),
  )

  it.live("are limited to one a second per user over all sockets", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const { client: one } = yield* join(server, "ann")
      const { client: two } = yield* join(server, "ann")
      const { client: bob } = yield* join(server, "bob")
      assert.strictEqual((yield* comment(one, { content: "1" })).status, "ok")
      const limited = yield* comment(two, { content: "2" })
      assert.strictEqual(limited.response["reason"], "rate_limit")
      const wait = Number(limited.response["retry_after_ms"])
      assert.isTrue(wait > 0 && wait <= 1000)
      assert.strictEqual((yield* comment(bob, { content: "3" })).status, "ok")
      yield* Effect.sleep(wait)
      assert.strictEqual((yield* comment(two, { content: "4" })).status, "ok")
    }),
  )

  it.live("come with the number of viewers at most once a second", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const { client } = yield* join(server, "ann")
      assert.deepStrictEqual(yield* next(client, "viewer_count"), { count: 1 })
      const started = performance.now()
      const others = yield* Effect.forEach(["b", "c", "d"], (user) => join(server, user))
      assert.deepStrictEqual(yield* next(client, "viewer_count"), { count: 4 })
      assert.isAtLeast(performance.now() - started, 500)
      for (const other of others) other.client.ws.terminate()
      assert.deepStrictEqual(yield* next(client, "viewer_count"), { count: 1 })
    }),
  )

  it.live("a slow client receives the current number of viewers once it reads again", () =>
    Effect.gen(function* () {
      // regression: it stayed at an outdated number.
      const server = yield* start({ limits: { maxQueuedBytes: 300_000 } })
      const { client: slow } = yield* join(server, "slow")
      assert.deepStrictEqual(yield* next(slow, "viewer_count"), { count: 1 })
      slow.ws.pause()
      // Far more than the kernel buffers, so that the queue is full when the number changes.
      const flood = Effect.forEach(
        Array.from({ length: 200 }),
        () =>
          Effect.callback<void>((resume) => {
            server.topics.deliver(topic, "new_comment", { content: "x".repeat(90_000) }, { droppable: true })
            setImmediate(() => resume(Effect.void))
          }),
        { discard: true },
      )
      yield* flood
      const { client: bob } = yield* join(server, "bob")
      assert.deepStrictEqual(yield* next(bob, "viewer_count"), { count: 2 })
      yield* flood
      slow.ws.resume()
      assert.deepStrictEqual(yield* next(slow, "viewer_count"), { count: 2 })
    }),
  )

  it.live("disappear from clients and history when moderation removes them", () =>
    Effect.gen(function* () {
      const server = yield* start()
      const { client: ann } = yield* join(server, "ann")
      const { response } = yield* comment(ann, { content: "bad", client_id: "c1" })
      const target = { kind: "comment", id: response["id"], stream_id: "s1", user_id: "ann" }
      const flag = (event_id: string, action: string) =>
        Context.get(server.services, EventBus).publish({
          address: Address.event("moderation.flagged"),
          id: event_id,
          body: Buffer.from(
            JSON.stringify({
              event_type: "moderation.flagged",
              event_id,
              timestamp: "2026-01-31T12:00:00Z",
              source: "ai",
              payload: { target, reasons: ["spam"], action },
            }),
          ),
        })
      yield* flag("00000000-0000-4000-8000-000000000001", "review")
      yield* flag("00000000-0000-4000-8000-000000000002", "remove")
      const { rev, ...removed } = yield* next(ann, "comment_removed")
      assert.deepStrictEqual(removed, { id: response["id"], reason: "spam" })
      assert.deepStrictEqual((yield* join(server, "late")).response, {
        comments: [],
        recovered: true,
        more: false,
        rev,
      })
      const { response: refusal } = yield* eventually(
        comment(ann, { content: "bad", client_id: "c1" }),
        (reply) => reply.response["reason"] !== "rate_limit",
        { interval: "200 millis" },
      )
      assert.deepStrictEqual(refusal, { reason: "removed" })
    }),
  )
})

/** Memory ports that count their calls. On the embedded engine and on NATS, each is one round trip. */
const counting = Effect.gen(function* () {
  const calls: Record<string, number> = {}
  const counted = <Port extends object>(port: string, service: Port): Port =>
    new Proxy(service, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name)
        if (typeof member !== "function" || name === "subscribe" || name === "consume") return member
        return (...args: ReadonlyArray<unknown>): unknown => {
          const call = `${port}.${String(name)}`
          calls[call] = (calls[call] ?? 0) + 1
          return Reflect.apply(member, target, args)
        }
      },
    })
  const bus = yield* EventBus
  const ports = Layer.mergeAll(
    Layer.succeed(History, counted("history", yield* History)),
    Layer.succeed(KeyValue, counted("state", yield* KeyValue)),
    Layer.succeed(EventBus, {
      ...counted("bus", bus),
      consume: (options, handle) =>
        bus.consume(options, (delivery) =>
          Effect.suspend(() => {
            calls[`delivery to ${options.name}`] = (calls[`delivery to ${options.name}`] ?? 0) + 1
            return handle(delivery)
          }),
        ),
    }),
  )
  return { calls, ports }
})

describe("round trips of the ports", () => {
  for (const [kind, topicName, event] of [
    ["a chat message", "chat:room:r1", "new_message"],
    ["a comment", topic, "new_comment"],
  ] as const)
    it.live(`${kind} costs one append to the history and one publish, at most one read, and no other write`, () =>
      Effect.gen(function* () {
        const { calls, ports } = yield* counting
        const services = yield* Layer.build(
          serviceOf({}).pipe(Layer.provideMerge(Layer.mergeAll(ports, tokens, CallLog.layer))),
        )
        const server = yield* listen(services)
        // One message each: a user may write one comment a second.
        const clients = yield* Effect.forEach(
          Array.from({ length: 10 }, (_, index) => `user${index}`),
          Effect.fnUntraced(function* (user) {
            const client = yield* connect(server, { user })
            client.send("1", "1", topicName, "phx_join", {})
            yield* next(client, "phx_reply")
            return client
          }),
        )
        const before = { ...calls }
        for (const client of clients) {
          client.send("1", "2", topicName, event, { content: "hi" })
          assert.strictEqual((yield* next(client, "phx_reply")).status, "ok")
        }
        const more = (call: string) => (calls[call] ?? 0) - (before[call] ?? 0)
        yield* eventually(() => more("bus.publish") >= clients.length)
        const { "state.get": reads = 0, ...rest } = Object.fromEntries(
          Object.keys(calls).flatMap((call) => (more(call) === 0 ? [] : [[call, more(call)]])),
        )
        assert.deepStrictEqual(rest, { "history.append": clients.length, "bus.publish": clients.length })
        // The first message of each user reads, and the first of the room.
        assert.isAtMost(reads, clients.length + 1)
      }).pipe(Effect.provide(Layer.mergeAll(MemoryBus.layer, MemoryHistory.layer(), MemoryState.layer))),
    )
})
