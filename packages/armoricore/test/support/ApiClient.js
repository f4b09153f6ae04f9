/** An HTTP client of the running program. */
import { eventually } from "@armoricore/testing/Eventually";
import { Effect, Result } from "effect";
export const request = (url, init = {}) => Effect.tryPromise({
    try: async (signal) => {
        const response = await fetch(url, { ...init, signal });
        const text = await response.text();
        return { status: response.status, json: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : text };
    },
    catch: (cause) => (cause instanceof Error ? cause : new Error(String(cause))),
});
/** Like `eventually`, but retries failures too, such as a refused connection while the program starts. */
export const retryUntil = (effect, isMet) => eventually(Effect.result(effect), (result) => Result.isSuccess(result) && isMet(result.success), {
    timeout: "60 seconds",
    interval: "100 millis",
}).pipe(Effect.flatMap(Effect.fromResult), Effect.mapError((error) => new Error(String(error))));
