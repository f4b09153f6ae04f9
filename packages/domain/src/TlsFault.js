/** Describes why a TLS connection failed. Drivers report it as a plain connection error, at several depths. */
const faults = {
    DEPTH_ZERO_SELF_SIGNED_CERT: (setCa) => `its certificate is self-signed; ${setCa} that signed it`,
    SELF_SIGNED_CERT_IN_CHAIN: (setCa) => `its certificate comes from a private CA; ${setCa} that signed it`,
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: (setCa) => `its certificate comes from an unknown CA; ${setCa} that signed it`,
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: (setCa) => `its certificate comes from an unknown CA; ${setCa} that signed it`,
    UNABLE_TO_GET_ISSUER_CERT: (setCa) => `its certificate comes from an unknown CA; ${setCa} that signed it`,
    CERT_SIGNATURE_FAILURE: (setCa) => `its certificate was signed by another CA of the same name; ${setCa} that signed it`,
    CERT_HAS_EXPIRED: () => "its certificate has expired; renew it",
    CERT_NOT_YET_VALID: () => "its certificate is not valid yet; check the clocks",
    ERR_TLS_CERT_ALTNAME_INVALID: () => "its certificate is for another host name; use a name of the certificate in the address",
};
/** The errors inside an error: its `cause`, and the `chainedError` of the NATS client. */
const chain = (cause) => {
    const found = [];
    let current = cause;
    for (let depth = 0; depth < 8 && typeof current === "object" && current !== null; depth++) {
        const code = Reflect.get(current, "code");
        found.push({
            code: typeof code === "string" ? code : "",
            message: current instanceof Error ? current.message : "",
        });
        current = Reflect.get(current, "cause") ?? Reflect.get(current, "chainedError");
    }
    return found;
};
/** A sentence without an end, or `undefined` if TLS is not at fault. `setCa` begins the advice for an unknown CA. */
export const describeTlsFault = (cause, setCa) => {
    for (const { code, message } of chain(cause)) {
        const known = Object.hasOwn(faults, code) ? faults[code]?.(setCa) : undefined;
        if (known !== undefined)
            return known;
        if (code === "EPROTO" || code.startsWith("ERR_SSL_") || code.startsWith("ERR_OSSL_") || code.startsWith("ERR_TLS_"))
            return `the handshake was refused (${message || code}); check that the server speaks TLS on this port`;
    }
    return undefined;
};
