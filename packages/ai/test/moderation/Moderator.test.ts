/** Moderation by rules, by a model, and with an unavailable model. */
import * as AiService from "@armoricore/ai/AiService"
import { foldConfusables } from "@armoricore/ai/moderation/Confusables"
import { Moderator, type Options } from "@armoricore/ai/moderation/Moderator"
import * as ModerationWorker from "@armoricore/ai/moderation/ModerationWorker"
import * as ModerationRules from "@armoricore/ai/moderation/ModerationRules"
import { EventBus } from "@armoricore/bus/EventBus"
import { event } from "@armoricore/bus/Address"
import { deriveId } from "@armoricore/domain/DeterministicId"
import * as EventCodec from "@armoricore/domain/EventCodec"
import * as FakeHttpServer from "@armoricore/testing/fakes/FakeHttpServer"
import * as Testing from "@armoricore/testing/Testing"
import * as ConsumerRegistry from "@armoricore/worker/control/ConsumerRegistry"
import { layerOwnProcess } from "@armoricore/worker/Worker"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Layer, Queue, Scope } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"

let sent = 0
const message = (content: string, userId = "u1", id = `m${++sent}`) =>
  ({ kind: "chat", id, conversationId: "r1", userId, content }) as const

describe("rules", () => {
  const { check } = ModerationRules.make({
    blockedWords: ["badword", "very bad thing", "scam*", "booo$$"],
    reviewWords: ["hmm"],
  })

  for (const content of [
    "badword",
    "You BADWORD!",
    "b\u0430dword", // Cyrillic а
    "ｂａｄｗｏｒｄ",
    "b4dw0rd",
    "b\u200badword",
    "bàdwörd",
    "b a d w o r d",
    "b.a.d.w.o.r.d",
    "baaadwooord",
    "a Very  bad, thing",
    "scammers",
  ]) {
    it.effect(`detect ${JSON.stringify(content)}`, () =>
      Effect.map(check(message(content, content)), (verdict) =>
        assert.deepStrictEqual(verdict, { action: "remove", reasons: ["word"] }),
      ),
    )
  }

  for (const content of ["badwords are many", "a bad thing", "4 a 0", "not bad, word!", "wordbad", "boss", ""]) {
    it.effect(`accept ${JSON.stringify(content)}`, () =>
      Effect.map(check(message(content, content)), (verdict) => assert.isUndefined(verdict)),
    )
  }

  it.effect("flag other words for review", () =>
    Effect.map(check(message("Hmm...", "u9")), (verdict) =>
      assert.deepStrictEqual(verdict, { action: "review", reasons: ["word"] }),
    ),
  )

  it.effect("detect links, also without https, and accept allowed domains", () =>
    Effect.gen(function* () {
      const { check } = ModerationRules.make({ linkAction: "review", allowedDomains: ["example.org"] })
      const reasons = (content: string) => Effect.map(check(message(content, content)), (verdict) => verdict?.reasons)
      assert.deepStrictEqual(yield* reasons("see https://evil.test/x"), ["link"])
      assert.deepStrictEqual(yield* reasons("go to evil.com now"), ["link"])
      assert.isUndefined(yield* reasons("see https://www.example.org/a and docs.example.org"))
      assert.deepStrictEqual(yield* reasons("https://notexample.org"), ["link"])
      assert.isUndefined(yield* reasons("well.that is it. 3.5"))
    }),
  )

  it.effect("detect a flood, and count a redelivery once", () =>
    Effect.gen(function* () {
      const { check } = ModerationRules.make({ floodThreshold: 3, repeatThreshold: 9 })
      assert.isUndefined(yield* check(message("one", "u2", "a")))
      assert.isUndefined(yield* check(message("one", "u2", "a")))
      assert.isUndefined(yield* check(message("one", "u2", "a")))
      assert.isUndefined(yield* check(message("two", "u2")))
      assert.deepStrictEqual((yield* check(message("three", "u2")))?.reasons, ["flood"])
      assert.isUndefined(yield* check(message("other", "u3")))
      yield* TestClock.adjust("6 seconds")
      assert.isUndefined(yield* check(message("four", "u2")))
    }),
  )

  it.effect("flag a flood once, and again at each doubling of its messages", () =>
    Effect.gen(function* () {
      const { check, takeFinishedFloods } = ModerationRules.make({ floodThreshold: 3, repeatThreshold: 99 })
      const flags: Array<string> = []
      for (let index = 0; index < 300; index++) {
        const verdict = yield* check(message(`text ${index}`, "u2"))
        if (verdict !== undefined) flags.push(`${verdict.action} ${verdict.flood?.count} ${verdict.flood?.since}`)
        yield* TestClock.adjust("10 millis")
      }
      const since = "1970-01-01T00:00:00.000Z"
      assert.deepStrictEqual(
        flags,
        [3, 6, 12, 24, 48, 96, 192].map((count) => `review ${count} ${since}`),
      )
      // regression: the last flag said 192 of 300 messages.
      assert.deepStrictEqual(yield* takeFinishedFloods(), [])
      yield* TestClock.adjust("5 seconds")
      const final = yield* takeFinishedFloods()
      assert.deepStrictEqual(
        final.map(({ verdict }) => verdict),
        [{ action: "review", reasons: ["flood"], flood: { count: 300, since } }],
      )
      assert.deepStrictEqual(yield* takeFinishedFloods(true), [])
    }),
  )

  it.effect("raise one flag for a flood of one text in one room", () =>
    Effect.gen(function* () {
      const { check, takeFinishedFloods } = ModerationRules.make()
      const verdicts = yield* Effect.forEach(
        Array.from({ length: 100 }, () => message("the same text", "u2")),
        check,
      )
      assert.deepStrictEqual(
        verdicts.flatMap((verdict) =>
          verdict === undefined ? [] : [`${verdict.reasons.join()} ${verdict.flood?.count}`],
        ),
        ["repeated 4", "repeated 8", "repeated 16", "repeated 32", "repeated 64"],
      )
      const final = yield* takeFinishedFloods(true)
      assert.deepStrictEqual(
        final.map(({ verdict }) => [verdict.reasons, verdict.flood.count]),
        [[["repeated"], 100]],
      )
    }),
  )

  it.effect("detect the same text over many rooms", () =>
    Effect.gen(function* () {
      const { check } = ModerationRules.make()
      const verdicts = yield* Effect.forEach(
        Array.from({ length: 50 }, (_, room) => ({ ...message("buy now", "u2"), conversationId: `r${room}` })),
        check,
      )
      assert.deepStrictEqual(
        verdicts.flatMap((verdict) =>
          verdict === undefined ? [] : [`${verdict.reasons.join()} ${verdict.flood?.count}`],
        ),
        ["repeated 4", "repeated 8", "repeated 16", "repeated 32"],
      )
      assert.isUndefined(yield* check({ ...message("buy now", "u3"), conversationId: "r1" }))
    }),
  )

  it.effect("detect repeated text", () =>
    Effect.gen(function* () {
      const { check } = ModerationRules.make({ repeatThreshold: 3 })
      for (const text of ["Buy now", "buy NOW!"]) {
        assert.isUndefined(yield* check(message(text, "u4")))
        yield* TestClock.adjust("3 seconds")
      }
      assert.deepStrictEqual((yield* check(message("buy now", "u4")))?.reasons, ["repeated"])
    }),
  )

  // regression: these words were not detected
  it.effect("detect a word with separated letters after `a` or `I`, or among symbols", () =>
    Effect.gen(function* () {
      for (const content of ["a b a d w o r d", "I b.a.d.w.o.r.d", "¡badword!", "@badword", "$badword", "badword$"]) {
        assert.deepStrictEqual((yield* check(message(content, content)))?.reasons, ["word"], content)
      }
    }),
  )

  // regression: an allowed domain as user info let any link pass, and a full stop after it did not
  it.effect("compare the host of a link, ignoring user info and trailing punctuation", () =>
    Effect.gen(function* () {
      const { check } = ModerationRules.make({ linkAction: "remove", allowedDomains: ["example.org"] })
      const reasons = (content: string) => Effect.map(check(message(content, content)), (verdict) => verdict?.reasons)
      assert.deepStrictEqual(yield* reasons("https://example.org@evil.test/x"), ["link"])
      assert.deepStrictEqual(yield* reasons("https://example.org:80@evil.test"), ["link"])
      assert.deepStrictEqual(yield* reasons("evil.de now"), ["link"])
      assert.isUndefined(yield* reasons("see https://example.org."))
    }),
  )

  it.effect("flag a flood for review, or remove it with floodAction remove", () =>
    Effect.gen(function* () {
      const lenient = ModerationRules.make({ floodThreshold: 2, repeatThreshold: 9 })
      const strict = ModerationRules.make({ floodThreshold: 2, repeatThreshold: 9, floodAction: "remove" })
      const actions = (rules: typeof lenient) =>
        Effect.map(
          Effect.forEach(["one", "two"], (text) => rules.check(message(text, "u9"))),
          (verdicts) => verdicts.map((verdict) => verdict?.action),
        )
      assert.deepStrictEqual(yield* actions(lenient), [undefined, "review"])
      assert.deepStrictEqual(yield* actions(strict), [undefined, "remove"])
    }),
  )

  // regression: a backlog was taken for a flood
  it.effect("accept a backlog that arrives at once", () =>
    Effect.gen(function* () {
      const { check } = ModerationRules.make({ floodThreshold: 3 })
      for (let index = 0; index < 9; index++) {
        assert.isUndefined(yield* check({ ...message(`text ${index}`, "u7"), writtenAtMillis: index * 10_000 }))
      }
      yield* check({ ...message("more", "u7"), writtenAtMillis: 80_001 })
      assert.deepStrictEqual((yield* check({ ...message("still more", "u7"), writtenAtMillis: 80_002 }))?.reasons, [
        "flood",
      ])
    }),
  )

  it("fold homoglyphs", () => {
    assert.strictEqual(foldConfusables("раураl"), "paypal")
    assert.strictEqual(foldConfusables("ΑΒ"), "ab")
  })
})

const moderated = (options: Options) => Moderator.layer(options).pipe(Layer.provide(FetchHttpClient.layer))

describe("a model", () => {
  const answering = (body: unknown) => FakeHttpServer.listenHttp(() => ({ status: 200, body: JSON.stringify(body) }))
  const verdict = (options: Options) =>
    Effect.flatMap(Moderator, ({ check }) => check(message("something"))).pipe(Effect.provide(moderated(options)))

  it.live("with the moderations API removes flagged messages", () =>
    Effect.gen(function* () {
      const result = { flagged: true, categories: { "harassment/threatening": true, hate: false } }
      const baseUrl = yield* answering({
        results: [{ ...result, category_scores: { "harassment/threatening": 0.9, hate: 0.3 } }],
      })
      assert.deepStrictEqual(yield* verdict({ model: { baseUrl } }), {
        action: "remove",
        reasons: ["model_harassment_threatening"],
      })
      assert.isUndefined(yield* verdict({ model: { baseUrl, threshold: 0.95 } }))
    }),
  )

  it.live("with the chat API returns a verdict", () =>
    Effect.gen(function* () {
      const content = JSON.stringify({ action: "review", reason: "Unsure" })
      const baseUrl = yield* answering({ choices: [{ message: { content } }] })
      const model = { baseUrl, api: "chat", model: "some" } as const
      assert.deepStrictEqual(yield* verdict({ model }), { action: "review", reasons: ["model_unsure"] })
    }),
  )

  it.live("that is unavailable or returns garbage: failMode decides", () =>
    Effect.gen(function* () {
      const unreachable = { baseUrl: "http://127.0.0.1:1" }
      assert.isUndefined(yield* verdict({ model: unreachable }))
      assert.deepStrictEqual(yield* verdict({ model: unreachable, failMode: "closed" }), {
        action: "remove",
        reasons: ["moderation_unavailable"],
      })
      const nonsense = { baseUrl: yield* answering({ hello: "world" }) }
      assert.isUndefined(yield* verdict({ model: nonsense, failMode: "open" }))
    }),
  )

  it.live("that hangs times out, and the circuit opens after repeated failures", () =>
    Effect.gen(function* () {
      let asked = 0
      const baseUrl = yield* FakeHttpServer.listenHttp(() => {
        asked++
        return new Promise(() => {})
      })
      yield* Effect.gen(function* () {
        const { check } = yield* Moderator
        for (let index = 0; index < 8; index++) assert.isUndefined(yield* check(message("x")))
      }).pipe(Effect.provide(moderated({ model: { baseUrl, timeout: Duration.millis(30) } })))
      assert.isAtMost(asked, 5)
    }),
  )
})

describe("the service", () => {
  it.effect("reads no messages if neither rules nor a model moderate, and writes no ledger for rules", () =>
    Effect.gen(function* () {
      const consumers = Effect.fnUntraced(function* (options: Options) {
        const services = AiService.layer().pipe(
          Layer.provide(moderated(options)),
          Layer.provideMerge(ConsumerRegistry.layer),
          Layer.provide(layerOwnProcess),
        )
        const registry = Context.get(yield* Layer.build(services), ConsumerRegistry.ConsumerRegistry)
        return registry.list().map(({ name }) => name)
      })
      assert.deepStrictEqual(
        (yield* consumers({})).filter((name) => /chat|comment/.test(name)),
        [],
      )
      assert.includeMembers([...(yield* consumers({ rules: {} }))], ["ai-chat-message", "ai-comment-created"])
      const isIdempotent = Effect.fnUntraced(function* (options: Options) {
        const moderator = Context.get(yield* Layer.build(moderated(options)), Moderator)
        return ModerationWorker.handlers(moderator, 1).every(({ idempotent }) => idempotent === true)
      })
      assert.isTrue(yield* isIdempotent({ rules: {} }))
      // A model is asked once for each message.
      assert.isFalse(yield* isIdempotent({ rules: {}, model: { baseUrl: "http://127.0.0.1:1" } }))
    }).pipe(Effect.provide(Testing.layer)),
  )

  it.effect("publishes the number of messages of a flood once it has ended, also at its own end", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const counts: Array<number | undefined> = []
      yield* bus.consume({ name: "listener", from: event("moderation.flagged"), concurrency: 1 }, ({ body }) =>
        EventCodec.decode(body).pipe(
          Effect.map(({ event }) => {
            if (event.event_type === "moderation.flagged") counts.push(event.payload.flood?.count)
          }),
          Effect.orDie,
          Effect.as({ _tag: "Ack" as const }),
        ),
      )
      const flood = Effect.fnUntraced(function* (room_id: string) {
        for (let index = 0; index < 15; index++) {
          const id = deriveId("test", room_id, `${index}`)
          const timestamp = "2026-01-31T12:00:00Z"
          const payload = { message_id: id, room_id, user_id: room_id, content: `text ${index}`, timestamp }
          const envelope = { event_type: "chat.message", event_id: id, timestamp, source: "realtime", payload } as const
          yield* bus.publish({ address: event("chat.message"), id, body: EventCodec.encode(envelope) })
        }
      })
      const scope = yield* Scope.make()
      const moderator = moderated({ rules: {} })
      yield* Layer.buildWithScope(AiService.layer().pipe(Layer.provide(moderator)), scope)
      yield* flood("r1")
      yield* Effect.yieldNow
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(counts, [10, 15])
      yield* flood("r2")
      yield* TestClock.adjust("10 millis")
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("10 millis")
      assert.deepStrictEqual(counts, [10, 15, 10, 15])
    }).pipe(Effect.provide(Testing.layer)),
  )

  it.effect("flags a new or edited message with what realtime needs to remove it", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const flagged = yield* Queue.unbounded<unknown>()
      yield* bus.consume({ name: "listener", from: event("moderation.flagged"), concurrency: 1 }, ({ body }) =>
        EventCodec.decode(body).pipe(
          Effect.flatMap(({ event: { payload, source } }) => Queue.offer(flagged, { source, ...payload })),
          Effect.orDie,
          Effect.as({ _tag: "Ack" as const }),
        ),
      )
      const timestamp = "2026-01-31T12:00:00Z"
      const envelope = (id: string) => ({ event_id: deriveId("test", id), timestamp, source: "realtime" }) as const
      const edit = { user_id: "u1", timestamp, edited_by: "u1" }
      const chat = (content: string) =>
        ({
          ...envelope(`chat ${content}`),
          event_type: "chat.edited",
          payload: { ...edit, message_id: "m1", room_id: "r1", content },
        }) as const
      const said = (content: string) =>
        ({
          ...envelope(`said ${content}`),
          event_type: "comment.created",
          payload: { comment_id: "c2", stream_id: "s1", user_id: "u1", content, timestamp },
        }) as const
      const comment = {
        ...envelope("comment"),
        event_type: "comment.edited",
        payload: { ...edit, comment_id: "c1", stream_id: "s1", content: "a badword" },
      } as const
      for (const edited of [said("hello"), said("you badword"), chat("fine"), chat("a badword"), comment])
        yield* bus.publish({
          address: event(edited.event_type),
          id: edited.event_id,
          body: EventCodec.encode(edited),
        })
      const verdict = { source: "ai", reasons: ["word"], action: "remove" }
      assert.sameDeepMembers(yield* Queue.takeN(flagged, 3), [
        { target: { kind: "comment", id: "c2", stream_id: "s1", user_id: "u1" }, ...verdict },
        { target: { kind: "chat", id: "m1", room_id: "r1", user_id: "u1" }, ...verdict },
        { target: { kind: "comment", id: "c1", stream_id: "s1", user_id: "u1" }, ...verdict },
      ])
    }).pipe(
      Effect.provide(
        AiService.layer().pipe(
          Layer.provide(moderated({ rules: { blockedWords: ["badword"] } })),
          Layer.provideMerge(Testing.layer),
        ),
      ),
    ),
  )
})
