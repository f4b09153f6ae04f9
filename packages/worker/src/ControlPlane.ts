/**
 * Questions to every process of the installation: who answers registers by kind, who asks gathers what came within a
 * while. It rides on the bus's live channel: nothing is stored, and what a process does not hear it does not answer.
 *
 * Every process says that it is there when it starts and every few seconds after that, so an asker knows whom to wait
 * for: it stops waiting once all have answered, and names those that stayed silent. The process itself is asked without
 * the bus, so an answer of one's own comes also while the bus is away.
 */
import * as Address from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Clock, Context, Deferred, Duration, Effect, Layer, Option, Queue, Schema, type Scope } from "effect"
import { hostname } from "node:os"

/** A process, as the others know it. */
export const NodeInfo = Schema.Struct({
  /** Unique while it lives, and never used again. */
  node: Schema.String,
  host: Schema.String,
  pid: Schema.Int,
  /** What it runs: `media`, `realtime`, … */
  services: Schema.Array(Schema.String),
  version: Schema.String,
  /** Epoch milliseconds. */
  started_at: Schema.Finite,
})
export type NodeInfo = typeof NodeInfo.Type

/** A process that was there and is not any more. */
export interface Departed {
  readonly info: NodeInfo
  /** Epoch milliseconds. */
  readonly heardAt: number
  /** It said that it ends; else it crashed, or is cut off. */
  readonly orderly: boolean
}

/** What can be asked; both sides share the constant. */
export interface Question<Q, A> {
  /** `[a-z-]+` */
  readonly kind: string
  readonly question: Schema.Codec<Q, unknown>
  readonly answer: Schema.Codec<A, unknown>
}

export interface Gathered<A> {
  readonly answers: ReadonlyArray<{ readonly node: string; readonly value: A }>
  /** Processes that have an answerer, and whose answer failed, with its sentence. */
  readonly failures: ReadonlyArray<{ readonly node: string; readonly message: string }>
  /** Processes that are known and said nothing in time. */
  readonly silent: ReadonlyArray<string>
}

export interface Options {
  readonly services: ReadonlyArray<string>
  readonly version: string
  /** How long an asker waits for those it knows. Default 2 s. */
  readonly patience?: Duration.Duration
}

export class ControlPlane extends Context.Service<
  ControlPlane,
  {
    readonly self: NodeInfo
    /** The processes heard of lately, this one first. */
    readonly nodes: Effect.Effect<ReadonlyArray<NodeInfo>>
    /** Those of the last day that are gone, as far as this process heard of them; the latest last. */
    readonly departed: Effect.Effect<ReadonlyArray<Departed>>
    /** Answers this kind until the scope closes; a second answerer of a kind takes the place of the first. */
    readonly answer: <Q, A, E extends { readonly message: string }, R>(
      question: Question<Q, A>,
      answer: (question: Q) => Effect.Effect<A, E, R>,
    ) => Effect.Effect<void, never, Scope.Scope | R>
    /** Asks all, or only `node`. Processes without an answerer of this kind are left out. */
    readonly ask: <Q, A>(question: Question<Q, A>, value: Q, node?: string) => Effect.Effect<Gathered<A>>
  }
>()("@armoricore/worker/ControlPlane") {
  static readonly layer = (
    options: Options,
  ): Layer.Layer<ControlPlane, TransientError | ConfigurationError, EventBus> =>
    Layer.effect(ControlPlane, make(options))
}

const beat = Duration.seconds(5)
/** Two beats may be lost. */
const forgottenAfter = 16_000
/** Departed processes are remembered so long, and so many. */
const rememberedFor = 86_400_000
const mostRemembered = 100
/** Messages that wait to be looked at; more than that is a flood. */
const inbox = 1_000

const Message = Schema.Union([
  Schema.TaggedStruct("Here", { info: NodeInfo, reply: Schema.Boolean }),
  Schema.TaggedStruct("Gone", { node: Schema.String }),
  Schema.TaggedStruct("Ask", {
    id: Schema.String,
    from: Schema.String,
    only: Schema.optionalKey(Schema.String),
    kind: Schema.String,
    /** JSON drops it where the question is nothing. */
    value: Schema.optional(Schema.Unknown),
  }),
  Schema.TaggedStruct("Answer", {
    id: Schema.String,
    to: Schema.String,
    from: Schema.String,
    result: Schema.Union([
      Schema.TaggedStruct("Value", { value: Schema.optional(Schema.Unknown) }),
      Schema.TaggedStruct("Failure", { message: Schema.String }),
      /** It has no answerer of this kind. */
      Schema.TaggedStruct("Nothing", {}),
    ]),
  }),
])
type Message = typeof Message.Type
type Result = Extract<Message, { readonly _tag: "Answer" }>["result"]

const address = Address.live("control")
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Message))
const encode = Schema.encodeSync(Schema.fromJsonString(Message))

type Answerer = (value: unknown) => Effect.Effect<Result>

interface Asking {
  readonly results: Map<string, Result>
  readonly expected: ReadonlySet<string>
  readonly done: Deferred.Deferred<void>
}

const make = Effect.fnUntraced(function* (options: Options) {
  const bus = yield* EventBus
  const patience = options.patience ?? Duration.seconds(2)
  const self: NodeInfo = {
    node: `${hostname()}-${process.pid}-${crypto.randomUUID().slice(0, 4)}`,
    host: hostname(),
    pid: process.pid,
    services: options.services,
    version: options.version,
    started_at: yield* Clock.currentTimeMillis,
  }
  const others = new Map<string, { readonly info: NodeInfo; readonly heardAt: number }>()
  const departed = new Map<string, Departed>()
  const answerers = new Map<string, Answerer>()
  const asking = new Map<string, Asking>()
  const scope = yield* Effect.scope

  const send = (message: Message) =>
    bus
      .broadcast(address, new TextEncoder().encode(encode(message)))
      .pipe(Effect.catch((error) => Effect.logDebug(`the other processes were not reached: ${error.message}`)))

  const answerTo = (kind: string, value: unknown): Effect.Effect<Result> =>
    Effect.suspend(() => answerers.get(kind)?.(value) ?? Effect.succeed<Result>({ _tag: "Nothing" }))

  const take = (id: string, from: string, result: Result): void => {
    const open = asking.get(id)
    if (open === undefined) return
    open.results.set(from, result)
    for (const node of open.expected) if (!open.results.has(node)) return
    Deferred.doneUnsafe(open.done, Effect.void)
  }

  /** `at`: when it said so. */
  const leave = (node: string, at?: number): void => {
    const known = others.get(node)
    if (known === undefined) return
    others.delete(node)
    departed.set(node, { info: known.info, heardAt: at ?? known.heardAt, orderly: at !== undefined })
    if (departed.size > mostRemembered) for (const oldest of departed.keys()) if (departed.delete(oldest)) break
  }

  const receive = (message: Message): Effect.Effect<void> =>
    Effect.gen(function* () {
      switch (message._tag) {
        case "Here": {
          if (message.info.node === self.node) return
          departed.delete(message.info.node)
          others.set(message.info.node, { info: message.info, heardAt: yield* Clock.currentTimeMillis })
          if (message.reply) yield* send({ _tag: "Here", info: self, reply: false })
          return
        }
        case "Gone":
          return leave(message.node, yield* Clock.currentTimeMillis)
        case "Answer":
          return message.to === self.node ? take(message.id, message.from, message.result) : undefined
        case "Ask": {
          const { from, id, kind, only, value } = message
          if (from === self.node || (only !== undefined && only !== self.node)) return
          // Whoever takes long must not hold up the others' questions.
          const answering = Effect.flatMap(answerTo(kind, value), (result) =>
            send({ _tag: "Answer", id, to: from, from: self.node, result }),
          )
          yield* Effect.forkIn(answering, scope)
        }
      }
    })

  const heard = yield* Effect.acquireRelease(Queue.dropping<Message>(inbox), Queue.shutdown)
  yield* bus.listen(address, ({ body }) =>
    Option.match(decode(new TextDecoder().decode(body)), {
      onNone: () => {},
      onSome: (message) => void Queue.offerUnsafe(heard, message),
    }),
  )
  // Both end with the layer.
  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(heard), receive)))
  yield* send({ _tag: "Here", info: self, reply: true })
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.delay(
        Effect.suspend(() => send({ _tag: "Here", info: self, reply: false })),
        beat,
      ),
    ),
  )
  yield* Effect.addFinalizer(() => send({ _tag: "Gone", node: self.node }))

  const living = Effect.map(Clock.currentTimeMillis, (now) => {
    for (const [node, { heardAt }] of others) if (now - heardAt > forgottenAfter) leave(node)
    return [...others.values()].map(({ info }) => info)
  })

  const askOthers = (open: Asking, id: string, kind: string, value: unknown, only: string | undefined) =>
    Effect.gen(function* () {
      if (open.expected.size === 0) return
      asking.set(id, open)
      const message: Message = {
        _tag: "Ask",
        id,
        from: self.node,
        kind,
        value,
        ...(only === undefined ? {} : { only }),
      }
      yield* send(message)
      yield* Effect.timeoutOption(Deferred.await(open.done), patience)
    }).pipe(Effect.ensuring(Effect.sync(() => void asking.delete(id))))

  const service: ControlPlane["Service"] = {
    self,
    nodes: Effect.map(living, (infos) => [self, ...infos]),
    departed: Effect.andThen(
      living,
      Effect.map(Clock.currentTimeMillis, (now) =>
        [...departed.values()].filter(({ heardAt }) => now - heardAt < rememberedFor),
      ),
    ),
    answer: (question, answer) =>
      Effect.gen(function* () {
        const context = yield* Effect.context<Effect.Services<ReturnType<typeof answer>>>()
        const read = Schema.decodeUnknownEffect(question.question)
        const write = Schema.encodeEffect(question.answer)
        const answerer: Answerer = (value) =>
          read(value).pipe(
            Effect.flatMap(answer),
            Effect.flatMap(write),
            Effect.match({
              onSuccess: (told): Result => ({ _tag: "Value", value: told }),
              onFailure: (error): Result => ({ _tag: "Failure", message: error.message }),
            }),
            Effect.provideContext(context),
          )
        yield* Effect.acquireRelease(
          Effect.sync(() => void answerers.set(question.kind, answerer)),
          () =>
            Effect.sync(() => {
              if (answerers.get(question.kind) === answerer) answerers.delete(question.kind)
            }),
        )
      }),
    ask: (question, value, only) =>
      Effect.gen(function* () {
        // It is ours; that it does not encode would be a fault of the caller.
        const encoded = yield* Effect.orDie(Schema.encodeEffect(question.question)(value))
        const known = (yield* living).map(({ node }) => node)
        const expected = new Set(only === undefined ? known : known.filter((node) => node === only))
        const open: Asking = { results: new Map(), expected, done: Deferred.makeUnsafe() }
        const own = only === undefined || only === self.node ? answerTo(question.kind, encoded) : undefined
        const [mine] = yield* Effect.all(
          [own ?? Effect.undefined, askOthers(open, crypto.randomUUID(), question.kind, encoded, only)],
          { concurrency: "unbounded" },
        )
        if (mine !== undefined) open.results.set(self.node, mine)
        return yield* gather(question, open)
      }),
  }
  return service
})

const gather = Effect.fnUntraced(function* <Q, A>(question: Question<Q, A>, { expected, results }: Asking) {
  const read = Schema.decodeUnknownEffect(question.answer)
  const answers: Array<{ readonly node: string; readonly value: A }> = []
  const failures: Array<{ readonly node: string; readonly message: string }> = []
  for (const [node, result] of results) {
    if (result._tag === "Failure") failures.push({ node, message: result.message })
    if (result._tag !== "Value") continue
    const value = yield* Effect.result(read(result.value))
    if (value._tag === "Success") answers.push({ node, value: value.success })
    // Another version of the program answers otherwise.
    else failures.push({ node, message: `its answer cannot be read: ${value.failure.message}` })
  }
  return { answers, failures, silent: [...expected].filter((node) => !results.has(node)) }
})
