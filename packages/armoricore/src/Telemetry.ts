/** Traces, metrics and logs to an OpenTelemetry collector, where `OTEL_EXPORTER_OTLP_ENDPOINT` names one. */
import { Effect, Layer, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"
import { Settings } from "./Settings.ts"
import { version } from "./Version.ts"

/** `name=value,name=value`, values percent-encoded, as the standard has it. */
const pairs = (text: string): Record<string, string> =>
  Object.fromEntries(
    text
      .split(",")
      .filter((part) => part.includes("="))
      .map((part) => {
        const [name = "", ...value] = part.split("=")
        return [name.trim(), decodeURIComponent(value.join("=").trim())]
      }),
  )

export const layer = Layer.unwrap(
  Effect.map(Settings, (settings) => {
    const baseUrl = settings.OTEL_EXPORTER_OTLP_ENDPOINT
    if (baseUrl === undefined) return Layer.empty
    const headers = settings.OTEL_EXPORTER_OTLP_HEADERS
    return Otlp.layerJson({
      baseUrl,
      // OTEL_RESOURCE_ATTRIBUTES is read where the resource is made.
      resource: { serviceName: settings.OTEL_SERVICE_NAME, serviceVersion: version },
      ...(headers === undefined ? {} : { headers: pairs(Redacted.value(headers)) }),
      loggerMergeWithExisting: true,
    }).pipe(Layer.provide(FetchHttpClient.layer))
  }),
)
