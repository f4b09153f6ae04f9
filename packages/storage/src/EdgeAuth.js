/** Akamai EdgeAuth tokens, version 2.0, as publicly documented. */
import { createHmac } from "node:crypto";
import { Redacted } from "effect";
/** At most 32 hexadecimal digits, an even number. */
export const isKey = (text) => /^(?:[0-9a-fA-F]{2}){1,16}$/.test(text);
export const token = ({ key, start, expires, grant }) => {
    const sent = [
        ...(start === undefined ? [] : [`st=${start}`]),
        `exp=${expires}`,
        ...("acl" in grant ? [`acl=${grant.acl.join("!")}`] : []),
    ];
    const signed = "url" in grant ? [...sent, `url=${grant.url}`] : sent;
    const hmac = createHmac("sha256", Buffer.from(Redacted.value(key), "hex"))
        .update(signed.join("~"))
        .digest("hex");
    return [...sent, `hmac=${hmac}`].join("~");
};
