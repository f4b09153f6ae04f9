/**
 * Encodes keys as one token of a NATS subject, reversibly: `A-Z a-z 0-9 _ - /` stay, every other byte of UTF-8 becomes
 * `=xx`. NATS rejects `@`, `:`, spaces and non-ASCII letters, and a dot separates tokens.
 */
export const encode = (key) => {
    let encoded = "";
    for (let index = 0; index < key.length; index++) {
        const token = tokens[key.charCodeAt(index)];
        // A non-ASCII character is several bytes.
        if (token === undefined)
            return key.replace(/[^A-Za-z0-9_/-]+/g, escaped);
        encoded += token;
    }
    return encoded;
};
const escaped = (text) => Array.from(Buffer.from(text), (byte) => `=${byte.toString(16).padStart(2, "0")}`).join("");
/** The encoding of each ASCII character: a regular expression per key would cost as much as sending it (measured). */
const tokens = Array.from({ length: 128 }, (_, code) => {
    const character = String.fromCharCode(code);
    return /[A-Za-z0-9_/-]/.test(character) ? character : escaped(character);
});
/** `undefined` for a subject that this encoding did not produce. */
export const decode = (token) => {
    if (!/^(?:[A-Za-z0-9_/-]|=[0-9a-f]{2})+$/.test(token))
        return undefined;
    const bytes = token.replace(/=(..)/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)));
    return Buffer.from(bytes, "latin1").toString("utf8");
};
