import { assert, describe, it } from "@effect/vitest"
import { Effect, Tracer } from "effect"
import * as TraceSampler from "../../src/telemetry/TraceSampler.ts"

const ids = Array.from({ length: 4_000 }, () => crypto.randomUUID().replaceAll("-", ""))
const parentOf = (traceId: string, sampled = true) =>
  Tracer.externalSpan({ traceId, spanId: "b7ad6b7169203331", sampled })

/** So many a second, for some seconds; the traces that were kept in the last one. */
const kept = (limit: number, perSecond: number) => {
  let now = 0
  const sampler = TraceSampler.make(limit, () => now)
  let last: ReadonlyArray<string> = []
  for (let second = 0; second < 4; second++) {
    last = ids.slice(0, perSecond).filter((id) => sampler(parentOf(id)))
    now += 1000
  }
  return last
}

describe("which traces are recorded", () => {
  it("all of them, as long as they are few", () => {
    assert.lengthOf(kept(50, 50), 50)
  })

  it("of many about as many as the limit, and the same ones in a process that is as busy", () => {
    const mine = kept(100, 4_000)
    assert.isAbove(mine.length, 60)
    assert.isBelow(mine.length, 150)
    assert.deepStrictEqual(kept(100, 4_000), mine)
    // Who keeps fewer keeps some of these.
    assert.includeMembers([...mine], [...kept(50, 4_000)])
  })

  it("a flood that only begins is cut at the limit", () => {
    const sampler = TraceSampler.make(10, () => 0)
    assert.lengthOf(
      ids.filter(() => sampler(undefined)),
      10,
    )
  })

  it("none whose publisher does not want it, and none at 0", () => {
    assert.isFalse(TraceSampler.make(50)(parentOf(ids[0] ?? "", false)))
    assert.lengthOf(kept(0, 20), 0)
  })

  it.effect("below a span that is not recorded none is, and an outside service's address is not told", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.Span> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        },
      })
      const call = Effect.useSpan("POST", { kind: "client" }, (span) =>
        Effect.sync(() => {
          span.attribute("url.full", "https://example.com/3/device/token")
          span.attribute("server.address", "example.com")
        }),
      )
      const run = (limit: number) =>
        Effect.withSpan(call, "outer").pipe(
          Effect.provideService(Tracer.Tracer, TraceSampler.withSampling(tracer, TraceSampler.make(limit))),
        )
      yield* run(1)
      yield* run(0)
      assert.deepStrictEqual(
        spans.map(({ name, sampled }) => [name, sampled]),
        [
          ["outer", true],
          ["POST", true],
          ["outer", false],
          ["POST", false],
        ],
      )
      assert.deepStrictEqual([...(spans[1]?.attributes.keys() ?? [])], ["server.address"])
    }),
  )
})
