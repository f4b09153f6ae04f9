/**
 * The security headers of every page that the program serves. A page names what it allows; everything else is refused:
 * no source of any kind, no base, no form, no frame around it, no referrer, no guessed content type.
 */
const refused = { "default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'" };
/** The headers of a page with these sources. */
export const securityHeaders = (allowed) => ({
    "content-security-policy": Object.entries({ ...refused, ...allowed })
        .map(([directive, sources]) => `${directive} ${sources}`)
        .join("; "),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
});
