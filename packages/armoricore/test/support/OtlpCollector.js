/** An OpenTelemetry collector over HTTP that records all requests. */
import * as FakeHttpServer from "@armoricore/testing/fakes/FakeHttpServer";
import { Effect, Schema } from "effect";
const Value = Schema.Struct({
    stringValue: Schema.optionalKey(Schema.String),
    intValue: Schema.optionalKey(Schema.Union([Schema.Finite, Schema.String])),
});
const Span = Schema.Struct({
    traceId: Schema.String,
    spanId: Schema.String,
    parentSpanId: Schema.optionalKey(Schema.String),
    name: Schema.String,
    /** 1 internal, 2 server, 3 client, 4 producer, 5 consumer */
    kind: Schema.Finite,
    attributes: Schema.Array(Schema.Struct({ key: Schema.String, value: Value })),
    status: Schema.Struct({ code: Schema.Finite }),
});
const readTraces = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Struct({
    resourceSpans: Schema.Array(Schema.Struct({ scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(Span) })) })),
})));
/** Listens until the scope closes. */
export const start = Effect.gen(function* () {
    const received = [];
    const url = yield* FakeHttpServer.listenHttp((asked) => {
        received.push(asked);
        return { status: 200, body: "{}" };
    });
    /** All bodies of one signal: `traces`, `metrics`, `logs`. */
    const bodiesOf = (signal) => received.filter(({ path }) => path === `/v1/${signal}`).map(({ body }) => body.toString("utf8"));
    return {
        url,
        received,
        textOf: (signal) => bodiesOf(signal).join("\n"),
        spans: () => bodiesOf("traces")
            .flatMap((body) => readTraces(body).resourceSpans)
            .flatMap(({ scopeSpans }) => scopeSpans)
            .flatMap(({ spans }) => spans),
    };
});
export const attribute = ({ attributes }, name) => attributes.find(({ key }) => key === name)?.value.stringValue;
