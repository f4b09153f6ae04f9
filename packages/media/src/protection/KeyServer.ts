/**
 * `MEDIA_KEY_SERVER_URL`: a key server makes the content keys. Each question is a POST of
 * `{media_id, user_id, scheme, first, count}`, signed like a webhook (`Armoricore-Signature`, key id `keys`): the keys with
 * the numbers from `first` on. The answer is 200 with `{keys: [{key_id, key}], systems?}`; `key_id` has 32 hexadecimal
 * digits (or is a UUID), `key` is 16 bytes in base64. Everything else fails the attempt, which is retried.
 *
 * The URL comes from the operator, and redirects are not followed, so an answer cannot make this process call another host.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { describeSchemaError } from "@armoricore/domain/EventCodec"
import * as Signature from "@armoricore/domain/Signature"
import { ByteSize, Clock, Duration, Effect, Layer, Schema, Stream } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import type { ContentKey } from "./Cbcs.ts"
import { DrmSystem, type ProtectionOptions, type ProtectionScheme } from "./Protection.ts"

export const keyId = "keys"
const dependency = "key-server"
const timeout = Duration.seconds(10)
const maxAnswerBytes = ByteSize.bytes(1e6)
const tooLong = { message: `it is longer than ${ByteSize.format(maxAnswerBytes)}` }

const Key = Schema.Struct({
  key_id: Schema.String.check(Schema.isPattern(/^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i)),
  key: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9+/]{22}==$/)),
})
const Answer = Schema.Struct({ keys: Schema.Array(Key), systems: Schema.optional(Schema.Array(DrmSystem)) })
const decodeAnswer = Schema.decodeUnknownEffect(Schema.fromJsonString(Answer))

export interface KeyQuestion {
  readonly media_id: string
  readonly user_id: string
  readonly scheme: ProtectionScheme
  readonly first: number
  readonly count: number
}

const failure = (code: string, message: string) =>
  new TransientError({ dependency, code, message: `the key server (MEDIA_KEY_SERVER_URL) ${message}` })

const client = FetchHttpClient.layer.pipe(
  Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" })),
)

/** `knownIds` are those of the earlier periods. */
export const ask = Effect.fn("KeyServer.ask")(function* (
  { secret, url }: NonNullable<ProtectionOptions["keyServer"]>,
  question: KeyQuestion,
  knownIds: ReadonlyArray<string> = [],
) {
  const http = yield* HttpClient.HttpClient
  const body = Buffer.from(JSON.stringify(question))
  const seconds = Math.floor((yield* Clock.currentTimeMillis) / 1000)
  const request = HttpClientRequest.post(url).pipe(
    HttpClientRequest.setHeaders({
      [Signature.signatureHeader]: Signature.sign(keyId, secret, seconds, body),
      accept: "application/json",
      "user-agent": "Armoricore",
    }),
    HttpClientRequest.bodyUint8Array(body, "application/json"),
  )
  const answered = Effect.gen(function* () {
    const response = yield* Effect.mapError(http.execute(request), (cause) =>
      failure("unavailable", `is not reachable: ${cause.message}`),
    )
    if (response.status !== 200)
      return yield* failure(`status_${response.status}`, `answered with status ${response.status} instead of 200`)
    const text = yield* Effect.mapError(
      // `MaxBodySize` does not limit the responses of a client.
      Stream.mkString(
        Stream.decodeText(Stream.limitBytes(response.stream, maxAnswerBytes, () => Stream.fail(tooLong))),
      ),
      (cause) => failure("invalid_answer", `sent an answer that cannot be read: ${cause.message}`),
    )
    return yield* Effect.mapError(decodeAnswer(text), (error) => {
      const whole = "the answer"
      const { message } = describeSchemaError(error, { whole, parent: whole })
      return failure("invalid_answer", `sent a wrong answer: ${message}`)
    })
  })
  const { keys, systems } = yield* Effect.scoped(answered).pipe(
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail(failure("timeout", `did not answer within ${Duration.format(timeout)}`)),
    }),
  )
  if (keys.length !== question.count)
    return yield* failure("invalid_answer", `sent ${keys.length} keys instead of ${question.count}`)
  const made = keys.map(({ key, key_id }): ContentKey => ({
    id: key_id.replaceAll("-", "").toLowerCase(),
    key: Buffer.from(key, "base64"),
  }))
  // Players find a key by its id: with two keys of one id, they would decrypt a period with the wrong one.
  const ids = [...knownIds, ...made.map(({ id }) => id)]
  const repeated = ids.find((id, index) => ids.indexOf(id) !== index)
  if (repeated !== undefined)
    return yield* failure("invalid_answer", `sent key_id ${repeated} for two periods of media ${question.media_id}`)
  return { systems, keys: made }
}, Effect.provide(client))
