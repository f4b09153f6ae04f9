import { assert, describe, it } from "@effect/vitest";
import { Effect, Tracer } from "effect";
import * as TraceSampler from "../../src/telemetry/TraceSampler.ts";
const ids = Array.from({ length: 4_000 }, () => crypto.randomUUID().replaceAll("-", ""));
const parentOf = (traceId, sampled = true) => Tracer.externalSpan({ traceId, spanId: "b7ad6b7169203331", sampled });
/** Starts traces at a constant rate for some seconds; returns those that were recorded in the last second. */
const retained = (limit, perSecond) => {
    let now = 0;
    const sampler = TraceSampler.make(limit, () => now);
    let last = [];
    for (let second = 0; second < 4; second++) {
        last = ids.slice(0, perSecond).filter((id) => sampler(parentOf(id)));
        now += 1000;
    }
    return last;
};
describe("the trace sampler", () => {
    it("records every trace below the limit", () => {
        assert.lengthOf(retained(50, 50), 50);
    });
    it("above the limit records about that many, and the same traces in an equally busy process", () => {
        const mine = retained(100, 4_000);
        assert.isAbove(mine.length, 60);
        assert.isBelow(mine.length, 150);
        assert.deepStrictEqual(retained(100, 4_000), mine);
        // A busier process records a subset.
        assert.includeMembers([...mine], [...retained(50, 4_000)]);
    });
    it("stops at the limit in the first second of a burst", () => {
        const sampler = TraceSampler.make(10, () => 0);
        assert.lengthOf(ids.filter(() => sampler(undefined)), 10);
    });
    it("records no trace that its publisher did not sample, and none with the limit 0", () => {
        assert.isFalse(TraceSampler.make(50)(parentOf(ids[0] ?? "", false)));
        assert.lengthOf(retained(0, 20), 0);
    });
    it.effect("records no child of an unsampled span, and no URL path of an external service", () => Effect.gen(function* () {
        const spans = [];
        const tracer = Tracer.make({
            span: (options) => {
                const span = new Tracer.NativeSpan(options);
                spans.push(span);
                return span;
            },
        });
        const call = Effect.useSpan("POST", { kind: "client" }, (span) => Effect.sync(() => {
            span.attribute("url.full", "https://example.com/3/device/token");
            span.attribute("server.address", "example.com");
        }));
        const run = (limit) => Effect.withSpan(call, "outer").pipe(Effect.provideService(Tracer.Tracer, TraceSampler.withSampling(tracer, TraceSampler.make(limit))));
        yield* run(1);
        yield* run(0);
        assert.deepStrictEqual(spans.map(({ name, sampled }) => [name, sampled]), [
            ["outer", true],
            ["POST", true],
            ["outer", false],
            ["POST", false],
        ]);
        assert.deepStrictEqual([...(spans[1]?.attributes.keys() ?? [])], ["server.address"]);
    }));
});
