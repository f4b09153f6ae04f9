/** The token of an `Authorization: Bearer …` header (RFC 6750). */
export const fromHeader = (authorization) => /^bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
