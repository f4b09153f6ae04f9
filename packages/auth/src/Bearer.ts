/** The token of an `Authorization: Bearer …` header (RFC 6750). */
export const fromHeader = (authorization: string | undefined): string | undefined =>
  /^bearer +(\S+)$/i.exec(authorization ?? "")?.[1]
