/** The replacement of a secret. */
export const placeholder = "<redacted>";
/** Query parameters with a secret: of presigned URLs, sockets and callbacks. */
export const secretQueryParameter = /([?&](?:token|access_token|auth|key|api_key|secret|password|signature|sig|hdnts|hdnea|x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature)=)([^\s&#"'\\]+)/gi;
/** Patterns of secrets. The first group of each stays in the text. */
const secretPatterns = [
    // A JWT.
    /()\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*/g,
    // The value of an authorization header.
    /(\b(?:bearer|basic|vapid)[ =]+)[A-Za-z0-9._~+/=-]{8,}/gi,
    // A password in a URL.
    /([a-z][a-z0-9+.-]*:\/\/[^\s:/@"'\\]*:)[^\s/@"'\\]+(?=@)/gi,
    secretQueryParameter,
    // The seed of a NATS nkey, as in a credentials file.
    /()\bS[ACNOUX][A-Z2-7]{56}\b/g,
    // The signature of an event or a webhook.
    /(\bv1=)[0-9a-f]{32,}/gi,
    // A token in a URL path: of playback, of an APNs device, of a browser's push service.
    /(\/(?:play|3\/device|wpush\/v\d|fcm\/send|wp)\/)[^\s/?#"'\\]{8,}/g,
];
/** Shorter secrets would match ordinary words. */
const minSecretLength = 6;
export const makeRedact = (secrets) => {
    const known = [...new Set(secrets.flatMap(encodedForms))]
        .filter((text) => text.length >= minSecretLength)
        // Longer first, because one secret may contain another.
        .sort((a, b) => b.length - a.length);
    const values = known.length === 0 ? undefined : new RegExp(known.map(escapeRegExp).join("|"), "g");
    return (text) => {
        let clean = values === undefined ? text : text.replace(values, placeholder);
        for (const pattern of secretPatterns)
            clean = clean.replace(pattern, `$1${placeholder}`);
        return clean;
    };
};
const escapeRegExp = (text) => text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
/** A secret as it appears in JSON, in a URL, and line by line. */
const encodedForms = (secret) => [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    ...secret.split(/\\n|\r?\n/).filter((line) => line.length >= 16 && !line.startsWith("-----")),
];
