/**
 * `AUTHORIZE_URL`: the backend decides who may join, and on request who may send. Each question is a POST of
 * `{user_id, roles, topic, params, action, event?}`, signed like a webhook (`Armoricore-Signature`, key id `authorize`). The
 * answer is 200 with `{allow, reason?, role?, ttl?}`, or 403. Everything else means that the backend could not be asked: the
 * join is refused with `unavailable`, unless the operator chose to allow it.
 *
 * The answer to a join is cached for its `ttl` in seconds, by user, roles, topic and params without the position in the
 * history; concurrent equal questions share one request. The answer to an event is cached only if it has a `ttl`, by user,
 * roles, topic and event. A kick forgets the answers about the user.
 *
 * The URL comes from the operator, and redirects are not followed, so a response cannot make this process call another host.
 */
import { sha256 } from "@armoricore/domain/DeterministicId"
import { TransientError } from "@armoricore/domain/Errors"
import { describeSchemaError } from "@armoricore/domain/EventCodec"
import * as Signature from "@armoricore/domain/Signature"
import { CircuitBreakers } from "@armoricore/worker/control/CircuitBreakers"
import {
  ByteSize,
  Cache,
  Clock,
  Context,
  Duration,
  Effect,
  Equal,
  Exit,
  Hash,
  Layer,
  Metric,
  Option,
  type Redacted,
  Schema,
  Stream,
} from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { ChannelError, unauthorized } from "../channel/ChannelError.ts"
import type { JoinGrant, JoinRequest } from "../channel/JoinPolicy.ts"
import { RoleName } from "./RoomMembers.ts"

export interface AuthorizeHookOptions {
  readonly url: string
  readonly secret: Redacted.Redacted<string>
  /** Of one request. Default 5 s: official clients wait 10 s for the reply to a join. */
  readonly timeout?: Duration.Duration
  /** How long an answer to a join without a `ttl` is cached. Default 10 s. */
  readonly defaultTtl?: Duration.Duration
  /** Whether joins and events are allowed while the backend cannot be asked. Default false. */
  readonly allowOnFailure?: boolean
}

export interface PushQuestion extends JoinRequest {
  readonly event: string
}

export class AuthorizeHook extends Context.Service<
  AuthorizeHook,
  {
    /** False: there is no hook. */
    readonly isEnabled: boolean
    /** Fails with `unauthorized`, or `unavailable` if the backend cannot be asked. */
    readonly join: (request: JoinRequest) => Effect.Effect<JoinGrant, ChannelError>
    readonly push: (request: PushQuestion) => Effect.Effect<void, ChannelError>
    /** Forgets the cached answers about a user, with `topic` only those about it. */
    readonly forget: (userId: string, topic?: string) => Effect.Effect<void>
  }
>()("@armoricore/realtime/AuthorizeHook") {}

/** The key id in the signature header. */
export const keyId = "authorize"

const dependency = "authorize"
const maxAnswers = 100_000
const maxAnswerBytes = ByteSize.bytes(16_384)
const tooLong = { message: `it is longer than ${ByteSize.format(maxAnswerBytes)}` }
const maxTtlSeconds = 86_400

const Answer = Schema.Struct({
  allow: Schema.Boolean,
  reason: Schema.optional(Schema.NullOr(Schema.String.check(Schema.isMaxLength(500)))),
  role: Schema.optional(Schema.NullOr(RoleName)),
  /** Seconds. */
  ttl: Schema.optional(Schema.NullOr(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: maxTtlSeconds })))),
})
type Answer = typeof Answer.Type

const denied: Answer = { allow: false }

const decodeAnswer = Schema.decodeUnknownEffect(Schema.fromJsonString(Answer))

export const requests = Metric.counter("armoricore_authorize_requests_total", {
  description: "Questions to AUTHORIZE_URL that no cached answer covered, by outcome: allowed, denied or failed",
  incremental: true,
})
const count = (outcome: "allowed" | "denied" | "failed") =>
  Metric.update(Metric.withAttributes(requests, { outcome }), 1)

export const layerDisabled: Layer.Layer<AuthorizeHook> = Layer.succeed(AuthorizeHook, {
  isEnabled: false,
  join: () => Effect.succeed({}),
  push: () => Effect.void,
  forget: () => Effect.void,
})

/** A client that follows no redirect, and a circuit breaker. */
const dependencies = Layer.merge(
  CircuitBreakers.layer,
  FetchHttpClient.layer.pipe(Layer.provideMerge(Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" }))),
)

interface QuestionFields {
  readonly userId: string
  readonly roles: ReadonlyArray<string>
  readonly topic: string
  readonly params: unknown
  readonly event?: string
}

/** A question and the key of its answer. Clients choose `params`, so the key has only a digest of them. */
class Question implements Equal.Equal {
  readonly id: string
  readonly userId: string
  readonly topic: string
  /** Until the answer is there. */
  fields: QuestionFields | undefined

  constructor(fields: QuestionFields, keyParams: unknown) {
    const { event, roles, topic, userId } = fields
    this.id = sha256(JSON.stringify([userId, roles, topic, event ?? null, keyParams]))
    this.userId = userId
    this.topic = topic
    this.fields = fields
  }

  [Hash.symbol]() {
    return Hash.string(this.id)
  }

  [Equal.symbol](that: unknown): boolean {
    return that instanceof Question && that.id === this.id
  }
}

export const layer = (options: AuthorizeHookOptions): Layer.Layer<AuthorizeHook> =>
  Layer.effect(AuthorizeHook, make(options)).pipe(Layer.provide(dependencies))

const make = Effect.fnUntraced(function* (options: AuthorizeHookOptions) {
  const breakers = yield* CircuitBreakers
  const client = yield* HttpClient.HttpClient
  const timeout = options.timeout ?? Duration.seconds(5)
  const defaultTtl = options.defaultTtl ?? Duration.seconds(10)

  const ask = Effect.fn("AuthorizeHook.ask")(function* ({ event, params, roles, topic, userId }: QuestionFields) {
    const action = event === undefined ? "join" : "push"
    const body = Buffer.from(
      JSON.stringify({
        user_id: userId,
        roles,
        topic,
        params: params ?? {},
        action,
        ...(event === undefined ? {} : { event }),
      }),
    )
    const seconds = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    const request = HttpClientRequest.post(options.url).pipe(
      HttpClientRequest.setHeaders({
        [Signature.signatureHeader]: Signature.sign(keyId, options.secret, seconds, body),
        accept: "application/json",
        "user-agent": "Armoricore",
      }),
      HttpClientRequest.bodyUint8Array(body, "application/json"),
    )
    return yield* Effect.scoped(
      Effect.gen(function* () {
        const response = yield* Effect.mapError(client.execute(request), (cause) =>
          failure("unavailable", `it is not reachable: ${cause.message}`),
        )
        if (response.status === 403) return denied
        if (response.status < 200 || response.status > 299)
          return yield* failure(`status_${response.status}`, explain(response.status))
        const text = yield* Effect.mapError(
          // `MaxBodySize` does not limit the responses of a client.
          Stream.mkString(
            Stream.decodeText(Stream.limitBytes(response.stream, maxAnswerBytes, () => Stream.fail(tooLong))),
          ),
          (cause) => failure("invalid_answer", `its answer could not be read: ${cause.message}`),
        )
        return yield* Effect.mapError(decodeAnswer(text), (error) =>
          failure("invalid_answer", describeSchemaError(error, { whole: "its answer", parent: "its answer" }).message),
        )
      }),
    ).pipe(
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () => Effect.fail(failure("timeout", `it did not answer within ${Duration.format(timeout)}`)),
      }),
      breakers.withCircuitBreaker(dependency),
      Effect.tapError((error) =>
        Effect.andThen(
          count("failed"),
          error.code === "circuit_open" || error.code === "paused"
            ? Effect.void
            : Effect.logWarning(error.message, { topic, user_id: userId }),
        ),
      ),
      Effect.tap(({ allow }) => count(allow ? "allowed" : "denied")),
    )
  })

  const ttlOf = (answer: Answer, fallback: Duration.Duration): Duration.Duration =>
    typeof answer.ttl === "number" ? Duration.seconds(answer.ttl) : fallback

  const cacheOptions = (fallback: Duration.Duration) => ({
    capacity: maxAnswers,
    timeToLive: (exit: Exit.Exit<Answer, TransientError>) =>
      Exit.isSuccess(exit) ? ttlOf(exit.value, fallback) : Duration.zero,
  })
  const joins = yield* Cache.makeWith(
    ({ fields }: Question) =>
      fields === undefined ? Effect.die(new Error("the question was answered before it was asked")) : ask(fields),
    cacheOptions(defaultTtl),
  )
  /** Only filled with `set`: the content of an event is part of the question, but not of the key. */
  const pushes = yield* Cache.makeWith(
    (_question: Question): Effect.Effect<Answer, TransientError> => Effect.never,
    cacheOptions(Duration.zero),
  )

  const askJoin = (question: Question) =>
    Effect.ensuring(
      Cache.get(joins, question),
      Effect.sync(() => {
        question.fields = undefined
      }),
    )

  const askPush = Effect.fnUntraced(function* (fields: QuestionFields) {
    const key = new Question(fields, null)
    key.fields = undefined
    const cached = yield* Cache.getSuccess(pushes, key)
    if (Option.isSome(cached)) return cached.value
    const answer = yield* ask(fields)
    if (typeof answer.ttl === "number" && answer.ttl > 0) yield* Cache.set(pushes, key, answer)
    return answer
  })

  /** The grant of an answer; what happens without one is the operator's choice. */
  const decide = (answer: Effect.Effect<Answer, TransientError>): Effect.Effect<JoinGrant, ChannelError> =>
    Effect.matchEffect(answer, {
      onSuccess: ({ allow, reason, role }) =>
        allow
          ? Effect.succeed(typeof role === "string" ? { roles: [role] } : {})
          : Effect.fail(unauthorized(reason ?? "the backend of this application does not allow it")),
      onFailure: () => (options.allowOnFailure === true ? Effect.succeed({}) : Effect.fail(notAsked)),
    })

  const forgetIn = (cache: Cache.Cache<Question, Answer, TransientError>, userId: string, topic: string | undefined) =>
    Effect.flatMap(Cache.keys(cache), (questions) =>
      Effect.forEach(
        [...questions].filter(
          (question) => question.userId === userId && (topic === undefined || question.topic === topic),
        ),
        (question) => Cache.invalidate(cache, question),
        { discard: true },
      ),
    )

  return AuthorizeHook.of({
    isEnabled: true,
    join: ({ identity: { roles, userId }, params: sent, topic }) => {
      const params = withoutPosition(sent)
      return decide(askJoin(new Question({ userId, roles, topic, params }, params)))
    },
    push: ({ event, identity: { roles, userId }, params, topic }) =>
      Effect.asVoid(decide(askPush({ userId, roles, topic, params, event }))),
    forget: Effect.fn("AuthorizeHook.forget")(function* (userId, topic) {
      yield* forgetIn(joins, userId, topic)
      yield* forgetIn(pushes, userId, topic)
    }),
  })
})

/** Where a client continues in the history is no reason to ask again. */
const withoutPosition = (params: unknown): unknown => {
  if (typeof params !== "object" || params === null || params instanceof Uint8Array) return {}
  return Object.fromEntries(Object.entries(params).filter(([name]) => !positionFields.has(name)))
}

const positionFields = new Set(["since", "last", "rev"])

const notAsked = new ChannelError({
  reason: "unavailable",
  details: { message: "the backend of this application cannot be asked now; try again" },
})

const explain = (status: number): string =>
  status === 401
    ? "it answered 401: AUTHORIZE_SECRET here and in the backend must be the same"
    : status >= 300 && status < 400
      ? `it answered with a redirect (${status}), which is not followed: set its final address`
      : `it answered with status ${status}; answer 200 with {"allow": false} to refuse`

const failure = (code: string, reason: string): TransientError =>
  new TransientError({ dependency, code, message: `AUTHORIZE_URL could not be asked: ${reason}` })
