/**
 * One HTTP call of a provider. A request that never left this machine is a `TransientError` and may be sent again; one
 * without a response has an `UnknownOutcome`.
 */
import { TransientError } from "@armoricore/domain/Errors";
import { Clock, Effect } from "effect";
import { UnknownOutcome } from "../provider/Provider.ts";
/** `dependency` names the provider in errors. Redirects are not followed, so credentials never reach another host. */
export const call = (dependency, url, { body, headers, method }) => Effect.tryPromise({
    try: async (signal) => {
        const response = await fetch(url, { method, headers, body, signal, redirect: "manual" });
        return { status: response.status, headers: response.headers, text: await response.text() };
    },
    catch: (cause) => toError(dependency, cause),
});
const notSentCodes = new Set([
    "ECONNREFUSED",
    "ENOTFOUND",
    "EAI_AGAIN",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "UND_ERR_CONNECT_TIMEOUT",
]);
/** Node's error codes for a certificate that does not verify: its chain, its dates or its names. */
export const isCertificateError = (code) => /^(CERT_|ERR_TLS_CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF))/.test(code);
/** Whether the request of a call that failed with this error code never left this machine. */
export const wasNotSent = (code) => notSentCodes.has(code) || isCertificateError(code);
const toError = (dependency, cause) => {
    const code = errorCodeOf(cause);
    const message = `${dependency} did not respond: ${code}`;
    return wasNotSent(code)
        ? new TransientError({ dependency, code: "unavailable", message, cause })
        : new UnknownOutcome({ message });
};
/** fetch nests the system's error code in `cause`, and in an AggregateError if it tried several addresses. */
export const errorCodeOf = (error) => {
    if (typeof error !== "object" || error === null)
        return String(error);
    if ("code" in error && typeof error.code === "string")
        return error.code;
    if ("cause" in error && error.cause !== undefined)
        return errorCodeOf(error.cause);
    if ("errors" in error && Array.isArray(error.errors))
        return errorCodeOf(error.errors[0]);
    return error instanceof Error ? error.message : "an unknown error";
};
/** A year. Longer waits are a provider's mistake, and enough digits parse to Infinity. */
const maxRetryAfterMillis = 365 * 86_400_000;
/** The milliseconds of `Retry-After`, which is seconds or an HTTP date; undefined without a valid header. */
export const parseRetryAfter = (headers, name = "retry-after") => Effect.map(Clock.currentTimeMillis, (now) => {
    const text = headers.get(name)?.trim();
    if (text === undefined || text === "")
        return undefined;
    const wait = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Math.round(Number(text) * 1000) : Date.parse(text) - now;
    return Number.isNaN(wait) ? undefined : Math.min(maxRetryAfterMillis, Math.max(0, wait));
});
/** The body of a response; `undefined` if it is not JSON. */
export const parseJson = (text) => Effect.orElseSucceed(Effect.try(() => JSON.parse(text)), () => undefined);
