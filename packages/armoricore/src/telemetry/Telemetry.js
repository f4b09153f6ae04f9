/**
 * Exports traces, metrics and logs to the OpenTelemetry collector of `OTEL_EXPORTER_OTLP_ENDPOINT`. Without it, the
 * program creates no spans; logs on stderr and `/metrics` still work.
 */
import * as TraceContext from "@armoricore/worker/TraceContext";
import { Effect, Layer, Logger, Redacted, Tracer } from "effect";
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http";
import { OtlpExporter, OtlpLogger, OtlpMetrics, OtlpResource, OtlpSerialization, OtlpTracer, } from "effect/observability";
import { Settings } from "../settings/Settings.ts";
import * as HttpSpans from "./HttpSpans.ts";
import * as TraceSampler from "./TraceSampler.ts";
import { Redactor } from "./Redactor.ts";
import { version } from "../Version.ts";
/** `name=value,name=value` with percent-encoded values, as OpenTelemetry specifies. */
const parseKeyValuePairs = (text) => Object.fromEntries(text
    .split(",")
    .filter((part) => part.includes("="))
    .map((part) => {
    const [name = "", ...value] = part.split("=");
    return [name.trim(), decodeURIComponent(value.join("=").trim())];
}));
/** Redacts secrets in everything that is sent to the collector. */
const redactingHttpClient = Layer.effect(HttpClient.HttpClient, Effect.gen(function* () {
    const { redact } = yield* Redactor;
    return HttpClient.mapRequest(yield* HttpClient.HttpClient, (request) => request.body._tag === "Uint8Array"
        ? HttpClientRequest.bodyText(request, redact(new TextDecoder().decode(request.body.body)), "application/json")
        : request);
})).pipe(Layer.provide(FetchHttpClient.layer));
/** Tells apart the processes of one service; a random id for each start, as the convention recommends. */
const instanceId = crypto.randomUUID();
/** `OTEL_RESOURCE_ATTRIBUTES` may set the id; explicit attributes would overwrite it. */
const instanceAttributes = Effect.map(OtlpResource.fromConfig({ serviceName: "-" }), ({ attributes }) => attributes.some(({ key }) => key === "service.instance.id") ? {} : { "service.instance.id": instanceId });
export const layer = Layer.unwrap(Effect.gen(function* () {
    const settings = yield* Settings;
    const baseUrl = settings.OTEL_EXPORTER_OTLP_ENDPOINT;
    if (baseUrl === undefined)
        return Layer.empty;
    const attributes = yield* instanceAttributes;
    const headers = settings.OTEL_EXPORTER_OTLP_HEADERS;
    const sampler = TraceSampler.make(settings.TRACE_SAMPLE_RATE);
    const optionsFor = (path) => ({
        url: HttpClientRequest.appendUrl(HttpClientRequest.get(baseUrl), path).url,
        // Effect itself adds OTEL_RESOURCE_ATTRIBUTES.
        resource: { serviceName: settings.OTEL_SERVICE_NAME, serviceVersion: version, attributes },
        ...(headers === undefined ? {} : { headers: parseKeyValuePairs(Redacted.value(headers)) }),
    });
    return Layer.mergeAll(Layer.effect(Tracer.Tracer, Effect.map(OtlpTracer.make(optionsFor("/v1/traces")), (tracer) => TraceSampler.withSampling(tracer, sampler))), Layer.succeed(TraceContext.Sampler, sampler), HttpSpans.layer, OtlpMetrics.layer(optionsFor("/v1/metrics")), Logger.layer([OtlpLogger.make(optionsFor("/v1/logs"))], { mergeWithExisting: true })).pipe(Layer.provide(OtlpExporter.layerFlusher), Layer.provide(OtlpSerialization.layerJson), Layer.provide(redactingHttpClient));
}));
