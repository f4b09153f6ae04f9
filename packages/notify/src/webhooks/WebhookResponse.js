import { ByteSize, Effect, Schema } from "effect";
import { HttpIncomingMessage, HttpServerResponse, ProblemDetails } from "effect/http";
import * as Metrics from "../NotifyMetrics.ts";
/** The call is not from the provider, or not in its format. */
export class WebhookRejection extends Schema.TaggedError()("WebhookRejection", {
    status: Schema.Int,
    code: Schema.String,
    detail: Schema.String,
}) {
}
export const reject = (status, code, detail) => Effect.fail(new WebhookRejection({ status, code, detail }));
const maxBytes = 1_000_000;
/** The raw body; signatures cover its bytes. */
export const readBody = (request) => request.arrayBuffer.pipe(Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxBytes)), Effect.mapBoth({
    onSuccess: (bytes) => Buffer.from(bytes),
    onFailure: () => new WebhookRejection({
        status: 413,
        code: "unreadable",
        detail: `the body may have at most ${maxBytes} bytes`,
    }),
}));
export const respond = (provider, handler) => handler.pipe(Effect.as(HttpServerResponse.empty({ status: 204 })), Effect.catch((error) => {
    if (error._tag === "WebhookRejection") {
        return Metrics.increment(Metrics.webhooksRejected, { provider }).pipe(Effect.andThen(Effect.logWarning(`webhook call rejected: ${error.detail}`, { provider })), Effect.as(problem(error.status, error.code, error.detail)));
    }
    return Effect.as(Effect.logWarning(`webhook call failed, the provider will repeat it: ${error.message}`, { provider }), HttpServerResponse.setHeader(problem(503, "unavailable", "try again later"), "retry-after", "30"));
}));
const problem = (status, code, detail) => ProblemDetails.toResponse({
    type: ProblemDetails.blankType,
    title: status === 503 ? "Service unavailable" : "Webhook call rejected",
    status,
    detail,
    code,
});
