/**
 * Keys as one token of a NATS subject, reversibly: `A-Z a-z 0-9 _ - /` as they are, every other byte of UTF-8 as `=xx`.
 * NATS itself refuses `@`, `:`, spaces and letters beyond ASCII, and takes a dot for a separator.
 */
export const encode = (key: string): string => key.replace(/[^A-Za-z0-9_/-]+/g, escaped)

const escaped = (text: string): string =>
  Array.from(Buffer.from(text), (byte) => `=${byte.toString(16).padStart(2, "0")}`).join("")

/** Undefined where it is not of our making. */
export const decode = (token: string): string | undefined => {
  if (!/^(?:[A-Za-z0-9_/-]|=[0-9a-f]{2})+$/.test(token)) return undefined
  const bytes = token.replace(/=(..)/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
  return Buffer.from(bytes, "latin1").toString("utf8")
}
