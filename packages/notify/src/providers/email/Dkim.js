/** Signs mails by DKIM (RFC 6376), so that receivers can verify that the domain of the sender sent them. */
import { ConfigurationError, PermanentError } from "@armoricore/domain/Errors";
import { Effect, Redacted } from "effect";
import DkimSigner from "nodemailer/lib/dkim";
import { createPrivateKey } from "node:crypto";
/** RFC 8301: verifiers reject shorter keys. */
const minKeyBits = 1_024;
/**
 * The signed fields. RFC 8058 demands a signature over both fields of one-click unsubscribe. Fields that a mail does not
 * have are not signed.
 */
const signedFields = [
    "From",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "To",
    "Cc",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
].join(":");
/** Creates a function that returns the message with its signature. `ConfigurationError`: the key is not usable. */
export const make = ({ domain, key, selector }) => Effect.gen(function* () {
    // A value from an environment file has its line breaks escaped.
    const privateKey = Redacted.value(key).replaceAll("\\n", "\n");
    const parsed = yield* Effect.try({
        try: () => createPrivateKey(privateKey),
        catch: () => misconfigured("is not a private key; set it to the content of a PEM file"),
    });
    const bits = parsed.asymmetricKeyDetails?.modulusLength ?? 0;
    if (parsed.asymmetricKeyType !== "rsa" || bits < minKeyBits) {
        return yield* misconfigured(`must be an RSA key of at least ${minKeyBits} bits; create one with: openssl genrsa 2048`);
    }
    const signer = new DkimSigner({
        domainName: domain,
        keySelector: selector,
        privateKey,
        headerFieldNames: signedFields,
    });
    return (content) => Effect.tryPromise({
        try: async () => {
            const chunks = [];
            for await (const chunk of signer.sign(content))
                chunks.push(chunk);
            return Buffer.concat(chunks);
        },
        catch: (cause) => new PermanentError({ code: "refused", message: "the mail cannot be signed by DKIM", cause }),
    });
});
const misconfigured = (message) => new ConfigurationError({ setting: "DKIM_KEY", message: `DKIM_KEY ${message}` });
