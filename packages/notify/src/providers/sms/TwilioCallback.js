/** The URL to which Twilio reports the state of an SMS, and its signature. */
import { Redacted } from "effect";
import { createHmac, timingSafeEqual } from "node:crypto";
export const path = "/v1/webhooks/twilio";
export const deliveryParameter = "delivery_id";
export const callbackUrlOf = (publicUrl, deliveryId) => {
    const url = new URL(`${publicUrl}${path}`);
    url.searchParams.set(deliveryParameter, deliveryId);
    return url;
};
/** `X-Twilio-Signature`: HMAC-SHA1 of the URL and the sorted parameters, in base64. */
export const signatureOf = (token, url, parameters) => {
    const signed = [...parameters]
        .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
        .reduce((text, [name, value]) => `${text}${name}${value}`, url);
    return createHmac("sha1", Redacted.value(token)).update(signed).digest("base64");
};
export const isSameSignature = (given, expected) => {
    const [a, b] = [Buffer.from(given), Buffer.from(expected)];
    return a.length === b.length && timingSafeEqual(a, b);
};
