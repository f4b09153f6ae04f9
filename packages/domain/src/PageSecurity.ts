/**
 * The security headers of every page that the program serves. A page names what it allows; everything else is refused:
 * no source of any kind, no base, no form, no frame around it, no referrer, no guessed content type.
 */

/** Directives of the content security policy that a page may open, each with its sources. */
export interface AllowedSources {
  readonly "script-src"?: string
  readonly "style-src"?: string
  readonly "img-src"?: string
  readonly "media-src"?: string
  readonly "connect-src"?: string
  readonly "worker-src"?: string
  readonly "frame-src"?: string
  readonly "form-action"?: string
}

const refused = { "default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'" }

/** The headers of a page with these sources. */
export const securityHeaders = (allowed: AllowedSources) => ({
  "content-security-policy": Object.entries({ ...refused, ...allowed })
    .map(([directive, sources]) => `${directive} ${sources}`)
    .join("; "),
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
})
