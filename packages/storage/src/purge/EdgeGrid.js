/** Akamai EdgeGrid (EG1-HMAC-SHA256): the `Authorization` header of requests to Akamai's APIs. */
import { createHash, createHmac } from "node:crypto";
import { Redacted } from "effect";
/** Bytes of a body that are signed. */
const maxSignedBody = 131_072;
const hmac = (key, text) => createHmac("sha256", key).update(text).digest("base64");
/** `20140321T19:34:21+0000`. */
const timestampOf = (now) => `${new Date(now).toISOString().slice(0, 19).replace(/-/g, "")}+0000`;
export const authorization = ({ accessToken, clientSecret, clientToken }, { body, method, nonce, now, url }) => {
    const timestamp = timestampOf(now);
    const unsigned = `EG1-HMAC-SHA256 client_token=${clientToken};access_token=${accessToken};timestamp=${timestamp};nonce=${nonce};`;
    const contentHash = method === "POST" && body !== ""
        ? createHash("sha256").update(Buffer.from(body).subarray(0, maxSignedBody)).digest("base64")
        : "";
    // The sixth field has the signed headers; Fast Purge asks for none.
    const data = [method, url.protocol.slice(0, -1), url.host, url.pathname + url.search, "", contentHash, unsigned];
    return `${unsigned}signature=${hmac(hmac(Redacted.value(clientSecret), timestamp), data.join("\t"))}`;
};
