/**
 * How a channel is written: what it says, as Schemas, then one layer that does it, both in one file.
 *
 * ```ts
 * export const Room = Channel.make({
 *   topic: "room:{room_id}",
 *   params: { room_id: RoomId },
 *   join: { payload: Schema.Struct({ nick: Schema.String }), reply: Schema.Struct({ size: Schema.Int }) },
 *   client: { say: { payload: Said, reply: Heard }, wave: { payload: Schema.Struct({}) } },
 *   server: { said: { payload: Heard }, waving: { payload: Waving, droppable: true } },
 * })
 *
 * export const layer = Room.toLayer(
 *   Effect.gen(function* () {
 *     const rooms = yield* Rooms
 *     return Room.handlers(
 *       Effect.fnUntraced(function* (room, payload) {
 *         const size = yield* rooms.enter(room.params.room_id)
 *         return { reply: { size }, nick: payload.nick }
 *       }),
 *       {
 *         on: {
 *           say: Effect.fnUntraced(function* (room, payload) {
 *             const heard = { by: room.state.nick, text: payload.text }
 *             yield* room.broadcast("said", heard)
 *             return heard
 *           }),
 *           wave: (room) => room.broadcast("waving", { by: room.state.nick }, { others: true }),
 *         },
 *         leave: (room) => rooms.exit(room.params.room_id),
 *       },
 *     )
 *   }),
 * )
 * ```
 *
 * - What `join` returns besides `reply` is kept as `state` for the time of the membership, and is all it costs.
 * - Events of one membership are handled one after the other, in order; memberships run side by side.
 * - Handlers run in the membership's scope: `Effect.forkScoped` a timer there and it ends with the membership.
 * - A `Refusal` is an error reply. A port's error is logged and answered with `unavailable`. Anything else is a crash:
 *   `phx_error`, and the client joins again; other channels of the socket do not notice.
 * - A membership is subscribed before `join` runs, and what is broadcast or pushed meanwhile follows the reply. A `join`
 *   that replies with history returns `covers`, the last `seq` in it, so that nothing comes twice.
 * - Before `join` the {@link JoinPolicy} is asked.
 * - A payload declared as {@link Binary} travels in a binary frame.
 */
import type { Identity } from "@armoricore/auth/Identity"
import type { PortError } from "@armoricore/domain/Errors"
import { describeSchemaError } from "@armoricore/domain/EventCodec"
import { Effect, Layer, Schema, type Scope } from "effect"
import { JoinPolicy } from "./JoinPolicy.ts"
import {
  ChannelRegistry,
  type UntypedJoinResult,
  type UntypedMembership,
  type ChannelDefinition,
  type EventDefinition,
} from "./ChannelRegistry.ts"
import type { Payload } from "../protocol/Message.ts"
import { invalidPayload, ChannelError, unavailable } from "./ChannelError.ts"
import { Topics } from "../pubsub/Topics.ts"
import { compile } from "./TopicPattern.ts"

/** Bytes, in a binary frame. */
export const Binary = Schema.Uint8Array

type AnyCodec = Schema.Codec<unknown, unknown>

export interface ClientEvent {
  readonly payload: AnyCodec
  /** Absent: the reply is `{}`. */
  readonly reply?: AnyCodec
  /** True: the role `guest` may send it too. */
  readonly guests?: boolean
}

export interface ServerEvent {
  readonly payload: AnyCodec
  /** True: a reader that is too slow loses it first. */
  readonly droppable?: boolean
}

/** The names in braces of a topic. */
export type ParamNames<Topic extends string> = Topic extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParamNames<Rest>
  : never

/** A channel's declaration: enough for its documents and its clients' types. */
export interface Declaration {
  readonly topic: string
  readonly params: Readonly<Record<string, AnyCodec>>
  readonly join: { readonly payload: AnyCodec; readonly reply: AnyCodec }
  readonly client: Readonly<Record<string, ClientEvent>>
  readonly server: Readonly<Record<string, ServerEvent>>
}

type Event<D extends Declaration> = keyof D["server"] & string
type EventPayload<D extends Declaration, E extends Event<D>> = D["server"][E]["payload"]["Type"]
type Reply<E extends ClientEvent> = E extends { readonly reply: infer R extends AnyCodec } ? R["Type"] : void

/** One join of one socket. */
export interface Membership<D extends Declaration, State> {
  readonly topic: string
  readonly params: { readonly [K in keyof D["params"]]: D["params"][K]["Type"] }
  readonly identity: Identity
  readonly socketId: string
  readonly state: State
  /** To this socket alone. */
  readonly push: <E extends Event<D>>(event: E, payload: EventPayload<D, E>) => Effect.Effect<void>
  /** To everybody on the topic, this socket included unless `others`. */
  readonly broadcast: <E extends Event<D>>(
    event: E,
    payload: EventPayload<D, E>,
    options?: { readonly excludeSelf?: boolean; readonly seq?: number },
  ) => Effect.Effect<void>
  /** Until the membership ends it hears what is broadcast to this part of its topic too. */
  readonly listen: (subtopic: string) => Effect.Effect<void, never, Scope.Scope>
}

export interface JoinResult<D extends Declaration> {
  readonly reply: D["join"]["reply"]["Type"]
  /** Broadcasts up to this `seq` are in the reply already. */
  readonly upToSeq?: number
}

export interface Handlers<D extends Declaration, J extends JoinResult<D>> extends EventHandlers<D, J> {
  readonly join: JoinHandler<D, J>
}

export type JoinHandler<D extends Declaration, J extends JoinResult<D>> = (
  member: Membership<D, undefined>,
  payload: D["join"]["payload"]["Type"],
) => Effect.Effect<J, ChannelError | PortError, Scope.Scope>

/** What works on members, with the state that their `join` kept. */
export interface EventHandlers<D extends Declaration, J extends JoinResult<D>> {
  readonly on: {
    readonly [E in keyof D["client"]]: (
      member: Membership<D, StateOf<D, J>>,
      payload: D["client"][E]["payload"]["Type"],
    ) => Effect.Effect<Reply<D["client"][E]>, ChannelError | PortError, Scope.Scope>
  }
  /** Runs once however the membership ends; at most 5 s. */
  readonly leave?: (member: Membership<D, StateOf<D, J>>) => Effect.Effect<void>
}

type StateOf<D extends Declaration, J extends JoinResult<D>> = Omit<J, keyof JoinResult<D>>

export interface Channel<D extends Declaration> {
  readonly declaration: D
  /** `join` comes first and apart: the types of the others follow from what it returns. */
  readonly handlers: <J extends JoinResult<D>>(join: JoinHandler<D, J>, others: EventHandlers<D, J>) => Handlers<D, J>
  /** Registers the channel for as long as the layer lives. */
  readonly toLayer: <J extends JoinResult<D>, E, R>(
    build: Effect.Effect<Handlers<D, J>, E, R>,
  ) => Layer.Layer<never, E, ChannelRegistry | Topics | Exclude<R, Scope.Scope>>
  /** From outside the channel, to everybody on one of its topics. */
  readonly broadcast: <E extends Event<D>>(
    params: { readonly [K in keyof D["params"]]: string },
    event: E,
    payload: EventPayload<D, E>,
  ) => Effect.Effect<void, never, Topics>
}

export const make = <
  const Topic extends string,
  const P extends { readonly [K in ParamNames<Topic>]: AnyCodec },
  const J extends { readonly payload: AnyCodec; readonly reply: AnyCodec },
  const C extends Readonly<Record<string, ClientEvent>>,
  const S extends Readonly<Record<string, ServerEvent>>,
>(declaration: {
  readonly topic: Topic
  readonly params: P
  readonly join: J
  readonly client: C
  readonly server: S
}) => makeChannel<{ topic: Topic; params: P; join: J; client: C; server: S }>(declaration)

const makeChannel = <D extends Declaration>(declaration: D): Channel<D> => {
  const pattern = compile(declaration.topic, declaration.params)
  const outgoing = outgoingEvents(declaration)
  return {
    declaration,
    handlers: (join, others) => ({ join, ...others }),
    toLayer: (build) =>
      Layer.effectDiscard(
        Effect.gen(function* () {
          const channels = yield* ChannelRegistry
          const policy = yield* JoinPolicy
          const handlers = yield* build
          channels.register(defineChannel(declaration, pattern.match, outgoing, policy, handlers))
        }),
      ),
    broadcast: (params, event, payload) =>
      Effect.gen(function* () {
        const topics = yield* Topics
        const { encode, droppable } = outgoing(event)
        yield* topics.broadcast(pattern.topic(params), event, yield* encode(payload), { droppable })
      }),
  }
}

type Encode = (value: unknown) => Effect.Effect<Payload>
type Outgoing = (event: string) => { readonly encode: Encode; readonly droppable: boolean }

/** A value that does not fit its own declaration is a fault of the channel: a crash, not an answer. */
const encoder = (schema: AnyCodec): Encode => {
  const encode = Schema.encodeEffect(schema)
  return (value) =>
    Effect.flatMap(Effect.orDie(encode(value)), (encoded) =>
      typeof encoded === "object" && encoded !== null
        ? Effect.succeed(encoded)
        : Effect.die(new Error("a channel's payloads and replies are objects or bytes")),
    )
}

const outgoingEvents = (declaration: Declaration): Outgoing => {
  const events = new Map(
    Object.entries(declaration.server).map(([event, { payload, droppable }]) => [
      event,
      { encode: encoder(payload), droppable: droppable === true },
    ]),
  )
  return (event) =>
    events.get(event) ?? {
      encode: () => Effect.die(new Error(`${declaration.topic} declares no server event ${event}`)),
      droppable: false,
    }
}

const decoder = (schema: AnyCodec) => {
  const decode = Schema.decodeUnknownEffect(schema)
  return (payload: unknown): Effect.Effect<unknown, ChannelError> =>
    // A Schema of no fields takes a text, a list and bytes too.
    schema !== Binary && !isObject(payload)
      ? Effect.fail(notAnObject)
      : Effect.mapError(decode(payload), (error) => {
          const { path, message } = describeSchemaError(error)
          return invalidPayload(path, message)
        })
}

const notAnObject = invalidPayload("", "Expected object")

const isObject = (payload: unknown): boolean =>
  typeof payload === "object" && payload !== null && !Array.isArray(payload) && !(payload instanceof Uint8Array)

/** A port's trouble is no news for the client: it may try again, and the log has the rest. */
const toReplyError = <A, R>(effect: Effect.Effect<A, ChannelError | PortError, R>): Effect.Effect<A, ChannelError, R> =>
  Effect.catch(effect, (error) =>
    error instanceof ChannelError
      ? Effect.fail(error)
      : Effect.andThen(Effect.logWarning("a channel could not answer", error), Effect.fail(unavailable)),
  )

const typedMembership = <D extends Declaration, State>(
  member: UntypedMembership,
  outgoing: Outgoing,
): Membership<D, State> => {
  const push = (event: string, payload: unknown) => {
    const { encode, droppable } = outgoing(event)
    return Effect.map(encode(payload), (encoded) => member.send(event, encoded, droppable))
  }
  const broadcast = (
    event: string,
    payload: unknown,
    options?: { readonly excludeSelf?: boolean; readonly seq?: number },
  ) => {
    const { encode, droppable } = outgoing(event)
    return Effect.flatMap(encode(payload), (encoded) =>
      member.broadcast(event, encoded, {
        droppable,
        ...(options?.excludeSelf === true ? { except: member } : {}),
        ...(options?.seq === undefined ? {} : { seq: options.seq }),
      }),
    )
  }
  // The registry keeps members of all channels in one shape. `params` was decoded with this declaration's Schemas and
  // `state` is what this channel's own `join` returned; TypeScript cannot carry that through the registry.
  return {
    topic: member.topic,
    params: member.params,
    get identity() {
      return member.identity
    },
    socketId: member.socketId,
    state: member.state,
    push,
    broadcast,
    listen: (subtopic) =>
      Effect.acquireRelease(
        Effect.sync(() => member.listen(subtopic)),
        () => Effect.sync(() => member.unlisten(subtopic)),
      ),
  } as Membership<D, State>
}

const defineChannel = <D extends Declaration, J extends JoinResult<D>>(
  declaration: D,
  match: ChannelDefinition["match"],
  outgoing: Outgoing,
  policy: JoinPolicy,
  handlers: Handlers<D, J>,
): ChannelDefinition => {
  type State = StateOf<D, J>
  const decodeJoin = decoder(declaration.join.payload)
  const encodeJoin = encoder(declaration.join.reply)
  const { leave } = handlers

  const join: ChannelDefinition["join"] = (member, payload) =>
    Effect.gen(function* () {
      yield* policy(member.identity, member.topic)
      // What decoded is of the declared type: the decoder was made from the declaration, one line above.
      const decoded = (yield* decodeJoin(payload)) as D["join"]["payload"]["Type"]
      const { reply, upToSeq, ...state } = yield* toReplyError(
        handlers.join(typedMembership(member, outgoing), decoded),
      )
      const result: UntypedJoinResult = { reply: yield* encodeJoin(reply), state: stateOrShared(state), upToSeq }
      return result
    })

  const events = new Map<string, EventDefinition>()
  for (const [event, spec] of Object.entries(declaration.client)) {
    const handle = handlers.on[event]
    if (handle === undefined) continue
    const decode = decoder(spec.payload)
    const encode: Encode = spec.reply === undefined ? () => Effect.succeed({}) : encoder(spec.reply)
    events.set(event, {
      guests: spec.guests === true,
      handle: (member, payload) =>
        Effect.flatMap(decode(payload), (decoded) =>
          Effect.flatMap(toReplyError(handle(typedMembership<D, State>(member, outgoing), decoded)), encode),
        ),
    })
  }

  return {
    pattern: declaration.topic,
    match,
    join,
    events,
    leave: leave === undefined ? undefined : (member) => leave(typedMembership<D, State>(member, outgoing)),
  }
}

const emptyState = Object.freeze({})

/** Most memberships keep nothing: they share one object. */
const stateOrShared = (state: object): object => (Object.keys(state).length === 0 ? emptyState : state)
