import { deriveId } from "@armoricore/domain/DeterministicId";
import * as EventCodec from "@armoricore/domain/EventCodec";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Option, Tracer } from "effect";
import * as TraceContext from "../src/TraceContext.ts";
const trace = "0af7651916cd43dd8448eb211c80319c";
const caller = "b7ad6b7169203331";
const message = (headers) => ({
    subject: "armoricore.media.ready",
    id: "1",
    headers,
    body: new Uint8Array(),
    arrivedAt: 0,
});
const operation = { system: "nats", name: "process", consumer: "media-media-ready" };
const parts = /^00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])$/;
const currentIn = (headers, inBody) => Effect.map(TraceContext.withConsumerSpan(operation, message(headers), inBody)(TraceContext.currentTraceparent), (text) => {
    const found = parts.exec(text ?? "");
    assert.isNotNull(found, text);
    const [, traceId = "", spanId = "", flags = ""] = found ?? [];
    return { traceId, spanId, flags };
});
describe("the trace of a message without a tracer", () => {
    it.effect("continues with the same trace id and a new span id", () => Effect.gen(function* () {
        const { flags, spanId, traceId } = yield* currentIn({ traceparent: `00-${trace}-${caller}-01` });
        assert.strictEqual(traceId, trace);
        assert.notStrictEqual(spanId, caller);
        assert.strictEqual(flags, "01");
    }));
    it.effect("comes from the header before the body; the header name is case-insensitive", () => Effect.gen(function* () {
        const other = `00-${trace.replace("0af", "fff")}-${caller}-01`;
        assert.strictEqual((yield* currentIn({ TraceParent: `00-${trace}-${caller}-01` }, other)).traceId, trace);
        assert.strictEqual((yield* currentIn({}, `00-${trace}-${caller}-00`)).traceId, trace);
        assert.strictEqual((yield* currentIn({}, `00-${trace}-${caller}-00`)).flags, "00");
    }));
    it.effect("starts at a message without one, and is the same for all its results", () => Effect.gen(function* () {
        const twice = yield* TraceContext.withConsumerSpan(operation, message({}), "not a trace")(Effect.all([TraceContext.currentTraceparent, TraceContext.currentTraceparent]));
        assert.match(twice[0] ?? "", parts);
        assert.strictEqual(twice[0], twice[1]);
        assert.notStrictEqual((yield* currentIn({})).traceId, (yield* currentIn({})).traceId);
    }));
    it.effect("is the parent of the spans that a handler opens", () => Effect.gen(function* () {
        const inner = Effect.withSpan(Effect.currentSpan, "inner");
        const span = yield* TraceContext.withConsumerSpan(operation, message({ traceparent: `00-${trace}-${caller}-01` }), undefined)(inner);
        assert.strictEqual(span.traceId, trace);
    }));
});
it.effect("with a tracer, a message has its own span below its publisher's", () => Effect.gen(function* () {
    const spans = [];
    const tracer = Tracer.make({
        span: (options) => {
            const span = new Tracer.NativeSpan(options);
            spans.push(span);
            return span;
        },
    });
    const { spanId, traceId } = yield* Effect.provideService(currentIn({ traceparent: `00-${trace}-${caller}-01` }), Tracer.Tracer, tracer);
    assert.strictEqual(traceId, trace);
    assert.deepStrictEqual(spans.map((span) => [span.name, span.kind, span.spanId, span.status._tag]), [["process armoricore.media.ready", "consumer", spanId, "Ended"]]);
    assert.strictEqual(Option.getOrUndefined(spans[0]?.parent ?? Option.none())?.spanId, caller);
}));
it.effect("the span of a message has OpenTelemetry's messaging attributes, and its own under a namespace", () => Effect.gen(function* () {
    const spans = [];
    const tracer = Tracer.make({
        span: (options) => {
            const span = new Tracer.NativeSpan(options);
            spans.push(span);
            return span;
        },
    });
    const logged = yield* Effect.withFiber(({ cache }) => Effect.succeed(TraceContext.attributesOf(cache.span))).pipe(TraceContext.withConsumerSpan(operation, message({}), undefined, () => ({ media_id: "m1" })), Effect.provideService(Tracer.Tracer, tracer));
    assert.deepStrictEqual(Object.fromEntries(spans[0]?.attributes ?? []), {
        "messaging.system": "nats",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "armoricore.media.ready",
        "messaging.message.id": "1",
        "messaging.consumer.group.name": "media-media-ready",
        "armoricore.media_id": "m1",
    });
    assert.deepStrictEqual(logged, { media_id: "m1" }, "log lines have the bare names");
}));
describe("the log attributes of a notification request", () => {
    const about = (key) => Effect.map(EventCodec.decodeJson({
        event_type: "notification.requested",
        event_id: "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
        timestamp: "2026-01-31T12:00:00Z",
        source: "shop",
        payload: { user_id: "u", notification_type: "push", title: "t", body: "b", ...key },
    }), ({ event }) => TraceContext.eventAttributes(event)["notification_id"]);
    it.effect("name the notification by its idempotency key if it has one, as its state does", () => Effect.gen(function* () {
        assert.strictEqual(yield* about({}), "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b");
        assert.strictEqual(yield* about({ idempotency_key: "order 7" }), deriveId("notification", "shop", "order 7"));
    }));
});
