/** The request headers of tus 1.0, decoded. Every fault is a problem that names the header and its value. */
import { Effect, Option } from "effect"
import type { HttpServerRequest } from "effect/http"
import { problem, type ProblemError } from "../Problem.ts"

export const version = "1.0.0"
export const extensions = "creation,creation-with-upload,expiration,termination,checksum"
export const contentType = "application/offset+octet-stream"

/** The algorithms of `Upload-Checksum`, with the bytes of a digest. */
const digestBytes = { sha1: 20, md5: 16, sha256: 32, sha512: 64 } as const
export type ChecksumAlgorithm = keyof typeof digestBytes
export const checksumAlgorithms = Object.keys(digestBytes).join(",")

export interface Checksum {
  readonly algorithm: ChecksumAlgorithm
  readonly digest: Buffer
}

type Headers = HttpServerRequest.HttpServerRequest["headers"]

const invalid = (header: string, value: string | undefined, expected: string): ProblemError =>
  problem(
    400,
    "invalid_header",
    value === undefined
      ? `the header ${header} is missing; send ${expected}`
      : `the header ${header} is ${JSON.stringify(value.slice(0, 60))}; send ${expected}`,
    header,
  )

/** A whole number of bytes. */
const bytesOf = (headers: Headers, header: string): Effect.Effect<number, ProblemError> => {
  const value = headers[header.toLowerCase()]
  return value !== undefined && /^[0-9]{1,15}$/.test(value)
    ? Effect.succeed(Number(value))
    : Effect.fail(invalid(header, value, "a whole number of bytes"))
}

export const uploadLength = (headers: Headers): Effect.Effect<number, ProblemError> =>
  headers["upload-defer-length"] !== undefined
    ? Effect.fail(
        problem(400, "unsupported", "a deferred length is not supported; send Upload-Length", "Upload-Defer-Length"),
      )
    : headers["upload-concat"] !== undefined
      ? Effect.fail(
          problem(400, "unsupported", "concatenation is not supported; send the file as one upload", "Upload-Concat"),
        )
      : bytesOf(headers, "Upload-Length")

export const uploadOffset = (headers: Headers): Effect.Effect<number, ProblemError> => bytesOf(headers, "Upload-Offset")

/** Undefined: the length of the body is not known in advance. */
export const bodyLength = (headers: Headers): number | undefined =>
  headers["content-length"] === undefined ? undefined : Number(headers["content-length"])

export const requireContentType = (headers: Headers): Effect.Effect<void, ProblemError> =>
  headers["content-type"]?.trim().toLowerCase() === contentType
    ? Effect.void
    : Effect.fail(
        problem(
          415,
          "content_type",
          `the content type is ${JSON.stringify((headers["content-type"] ?? "").slice(0, 60))}; send ${contentType}`,
          "Content-Type",
        ),
      )

const maxMetadataLength = 4096
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const decoder = new TextDecoder("utf-8", { fatal: true })

/** `key base64,key base64,…`; a key without a value is empty. */
export const uploadMetadata = (headers: Headers): Effect.Effect<ReadonlyMap<string, string>, ProblemError> =>
  Effect.suspend(() => {
    const text = headers["upload-metadata"] ?? ""
    const fault = invalid("Upload-Metadata", text, "comma-separated pairs of a key and a value in base64 (UTF-8)")
    if (text.length > maxMetadataLength) {
      return Effect.fail(
        problem(
          413,
          "too_large",
          `Upload-Metadata has ${text.length} characters; it may have ${maxMetadataLength}`,
          "Upload-Metadata",
        ),
      )
    }
    const values = new Map<string, string>()
    for (const pair of text.trim() === "" ? [] : text.split(",")) {
      const [key = "", encoded = "", ...rest] = pair.trim().split(" ")
      if (!/^[!-+\--~]+$/.test(key) || values.has(key) || rest.length > 0 || !base64.test(encoded))
        return Effect.fail(fault)
      const value = decodeText(Buffer.from(encoded, "base64"))
      if (Option.isNone(value)) return Effect.fail(fault)
      values.set(key, value.value)
    }
    return Effect.succeed(values)
  })

const decodeText = Option.liftThrowable((bytes: Uint8Array) => decoder.decode(bytes))

const isAlgorithm = (name: string): name is ChecksumAlgorithm => Object.hasOwn(digestBytes, name)

/** `sha1 base64`; undefined without the header. */
export const uploadChecksum = (headers: Headers): Effect.Effect<Checksum | undefined, ProblemError> =>
  Effect.suspend(() => {
    const value = headers["upload-checksum"]
    if (value === undefined) return Effect.succeed(undefined)
    const [algorithm = "", encoded = "", ...rest] = value.trim().split(" ")
    if (!isAlgorithm(algorithm)) {
      return Effect.fail(
        problem(
          400,
          "checksum_algorithm",
          `the checksum algorithm ${JSON.stringify(algorithm.slice(0, 40))} is not supported; use ${checksumAlgorithms}`,
          "Upload-Checksum",
        ),
      )
    }
    const digest = Buffer.from(encoded, "base64")
    return rest.length > 0 || !base64.test(encoded) || digest.byteLength !== digestBytes[algorithm]
      ? Effect.fail(invalid("Upload-Checksum", value, `${algorithm}, a space and the digest in base64`))
      : Effect.succeed({ algorithm, digest })
  })
