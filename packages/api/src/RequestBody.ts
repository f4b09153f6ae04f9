/** Reads request bodies up to a size limit and within a time limit. */
import { describeSchemaError, parseJson } from "@armoricore/domain/EventCodec"
import type { InvalidEvent } from "@armoricore/domain/Errors"
import { ByteSize, Duration, Effect, Schema } from "effect"
import { HttpIncomingMessage, type HttpServerRequest } from "effect/http"
import { problem, type ProblemError } from "./Problem.ts"

/**
 * A body of 1 MB has this time, a smaller one at least half of it. A client that sends more slowly holds a connection and
 * memory for nothing.
 */
const maxReadSeconds = 30
const bytesPerSecond = 64_000

export const readDeadline = (limit: number): Duration.Duration =>
  Duration.seconds(Math.min(maxReadSeconds, maxReadSeconds / 2 + limit / bytesPerSecond))

export const bytes = (
  request: HttpServerRequest.HttpServerRequest,
  limit: number,
): Effect.Effect<Uint8Array, ProblemError> =>
  Effect.suspend(() => {
    const encoding = request.headers["content-encoding"] ?? "identity"
    if (encoding.toLowerCase() !== "identity") return Effect.fail(unsupportedEncoding(encoding))
    return Number(request.headers["content-length"] ?? 0) > limit
      ? Effect.fail(tooLarge(limit))
      : request.arrayBuffer.pipe(
          Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(limit)),
          Effect.mapError(({ reason }) =>
            reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"
              ? tooLarge(limit)
              : problem(400, "unreadable", "the body could not be read to its end; send it again"),
          ),
          Effect.timeoutOrElse({ duration: readDeadline(limit), orElse: () => Effect.fail(tooSlow(limit)) }),
          Effect.map((buffer) => new Uint8Array(buffer)),
        )
  })

/** Reads and decodes a JSON body. The problem names the wrong field. */
export const json = <A, I>(
  request: HttpServerRequest.HttpServerRequest,
  schema: Schema.Codec<A, I>,
  limit: number,
): Effect.Effect<A, ProblemError | InvalidEvent> =>
  Effect.flatMap(bytes(request, limit), (body) => decode(schema, body))

/**
 * Decodes a JSON body that was read; PHP's empty `[]` is read as `{}` too. The problem names the wrong field. `exact` refuses
 * unknown fields: where all fields are optional, a misspelt one would mean something else.
 */
export const decode = <A, I>(
  schema: Schema.Codec<A, I>,
  body: Uint8Array,
  { exact = false }: { readonly exact?: boolean } = {},
): Effect.Effect<A, ProblemError | InvalidEvent> =>
  Effect.flatMap(parseJson(body), (value) =>
    Schema.decodeUnknownEffect(
      schema,
      exact ? { onExcessProperty: "error" } : {},
    )(value).pipe(
      Effect.catch((error) =>
        Array.isArray(value) && value.length === 0
          ? Effect.mapError(Schema.decodeUnknownEffect(schema)({}), () => error)
          : Effect.fail(error),
      ),
      Effect.mapError((error) => {
        const { message, path } = describeSchemaError(error, { input: value, whole: "the body" })
        return problem(422, "invalid", message, path)
      }),
    ),
  )

const unsupportedEncoding = (encoding: string) =>
  problem(
    415,
    "unsupported_encoding",
    `the body has the content-encoding ${encoding.slice(0, 40)}; send it uncompressed`,
  )

const tooSlow = (limit: number) =>
  problem(
    408,
    "too_slow",
    `the body did not arrive within ${Duration.toSeconds(readDeadline(limit)).toFixed(0)} s; send it again over a faster connection`,
  )

const tooLarge = (limit: number) =>
  problem(413, "too_large", `the body has more than ${limit} bytes; send less at once`)
