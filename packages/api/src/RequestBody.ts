/** Reads request bodies up to a size limit. */
import { describeSchemaError, parseJson } from "@armoricore/domain/EventCodec"
import type { InvalidEvent } from "@armoricore/domain/Errors"
import { ByteSize, Effect, Schema } from "effect"
import { HttpIncomingMessage, type HttpServerRequest } from "effect/http"
import { problem, type ProblemError } from "./Problem.ts"

export const bytes = (
  request: HttpServerRequest.HttpServerRequest,
  limit: number,
): Effect.Effect<Uint8Array, ProblemError> =>
  Effect.suspend(() =>
    Number(request.headers["content-length"] ?? 0) > limit
      ? Effect.fail(tooLarge(limit))
      : request.arrayBuffer.pipe(
          Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(limit)),
          Effect.mapError(({ reason }) =>
            reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"
              ? tooLarge(limit)
              : problem(400, "unreadable", "the body could not be read to its end; send it again"),
          ),
          Effect.map((buffer) => new Uint8Array(buffer)),
        ),
  )

/** Decodes a JSON body. The problem names the wrong field. */
export const json = <A, I>(
  request: HttpServerRequest.HttpServerRequest,
  schema: Schema.Codec<A, I>,
  limit: number,
): Effect.Effect<A, ProblemError | InvalidEvent> =>
  bytes(request, limit).pipe(
    Effect.flatMap(parseJson),
    Effect.flatMap((value) =>
      Effect.mapError(Schema.decodeUnknownEffect(schema)(value), (error) => {
        const { message, path } = describeSchemaError(error, { input: value, whole: "the body" })
        return problem(422, "invalid", message, path)
      }),
    ),
  )

const tooLarge = (limit: number) =>
  problem(413, "too_large", `the body has more than ${limit} bytes; send less at once`)
