/** The `Range` header (RFC 9110) for one range; several at once are answered with the whole, as it allows. */
import type { ByteRange } from "../ObjectStorage.ts"

export type RequestedRange = "whole" | "unsatisfiable" | Required<ByteRange>

/** `size` in bytes. What is no valid range is ignored, so it asks for the whole. */
export const parseRange = (header: string | undefined, size: number): RequestedRange => {
  const match = /^bytes=([0-9]*)-([0-9]*)$/i.exec(header?.replaceAll(" ", "") ?? "")
  const [, first = "", last = ""] = match ?? []
  if (match === null || (first === "" && last === "")) return "whole"
  if (first === "") {
    const count = Math.min(Number(last), size)
    return count === 0 ? "unsatisfiable" : { start: size - count, end: size - 1 }
  }
  const start = Number(first)
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1)
  if (last !== "" && Number(last) < start) return "whole"
  return start >= size ? "unsatisfiable" : { start, end }
}
