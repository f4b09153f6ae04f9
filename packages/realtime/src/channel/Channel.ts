/**
 * How to write a channel: a declaration made of Schemas, and one layer with its handlers, both in one file.
 *
 * ```ts
 * export const channel = Channel.make({
 *   topic: "room:{room_id}",
 *   params: { room_id: RoomId },
 *   join: { payload: Schema.Struct({ nick: Schema.String }), reply: Schema.Struct({ size: Schema.Int }) },
 *   client: { say: { payload: Text, reply: Line }, wave: { payload: Schema.Struct({}) } },
 *   server: { line: { payload: Line }, waved: { payload: Wave, droppable: true } },
 * })
 *
 * export const layer = channel.toLayer(
 *   Effect.gen(function* () {
 *     const rooms = yield* Rooms
 *     return channel.handlers(
 *       Effect.fnUntraced(function* (room, payload) {
 *         const size = yield* rooms.enter(room.params.room_id)
 *         return { reply: { size }, nick: payload.nick }
 *       }),
 *       {
 *         on: {
 *           say: Effect.fnUntraced(function* (room, payload) {
 *             const line = { by: room.state.nick, text: payload.text }
 *             yield* room.broadcast("line", line)
 *             return line
 *           }),
 *           wave: (room) => room.broadcast("waved", { by: room.state.nick }, { excludeSelf: true }),
 *         },
 *         leave: (room) => rooms.exit(room.params.room_id),
 *       },
 *     )
 *   }),
 * )
 * ```
 *
 * - The fields that `join` returns beside `reply` become the `state` of the membership.
 * - A membership handles its events one after the other, in order. Memberships run concurrently.
 * - Handlers run in the scope of the membership: a timer that `Effect.forkScoped` starts ends with the membership.
 * - A `ChannelError` becomes an error reply. An error of a port is logged and becomes the reply `unavailable`. Every other
 *   failure is a crash: the client receives `phx_error` and joins again; the other channels of the socket continue.
 * - A membership is subscribed before `join` runs. Broadcasts and pushes of that time follow the reply. A `join` that
 *   replies with history returns `upToSeq`, the last `seq` of the reply, so that no entry arrives twice.
 * - The {@link JoinPolicy} and the access rules of rooms run before `join`.
 * - A payload declared as {@link Binary} travels in a binary frame.
 *
 * Handlers use `Effect.fnUntraced`: they run for every frame, where a span would cost more than the handler.
 */
import type { Identity } from "@armoricore/auth/Identity"
import type { PortError } from "@armoricore/domain/Errors"
import type { Bucket } from "@armoricore/state/KeyValue"
import { Effect, Layer, Schema, type Scope } from "effect"
import { RoomAccess } from "../access/RoomAccess.ts"
import { all as allPolicies, JoinPolicy } from "./JoinPolicy.ts"
import { ChannelRegistry, type ChannelDefinition, type MembershipHandle } from "./ChannelRegistry.ts"
import type { Payload } from "../protocol/Message.ts"
import { ChannelError, unavailable } from "./ChannelError.ts"
import { Topics } from "../pubsub/Topics.ts"
import type { LogEntry } from "../rooms/RoomEntry.ts"
import { compile } from "./TopicPattern.ts"
import { type AnyCodec, decoder, type Encode, encoder, replyEncoder } from "./PayloadCodecs.ts"

export { Binary } from "./PayloadCodecs.ts"

export interface ClientEvent {
  readonly payload: AnyCodec
  /** Default: the reply is `{}`. */
  readonly reply?: AnyCodec
  /** Whether the role `guest` may send this event; default false. */
  readonly allowGuests?: boolean
  /**
   * Whether a backend may send this event for a user who has no socket (`POST /v1/topics/{topic}/events`); default false. The
   * reply has the `id` of the stored entry, and the handler uses no state of the membership.
   */
  readonly allowBackends?: boolean
}

export interface ServerEvent {
  readonly payload: AnyCodec
  /** Whether the server may drop this event for a client that reads too slowly; default false. */
  readonly droppable?: boolean
}

/** The parameter names of a topic pattern: `room_id` of `chat:room:{room_id}`. */
export type ParamNames<Topic extends string> = Topic extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParamNames<Rest>
  : never

/** The declaration of a channel; the AsyncAPI document and the types of clients are made from it. */
export interface Declaration {
  readonly topic: string
  readonly params: Readonly<Record<string, AnyCodec>>
  readonly join: { readonly payload: AnyCodec; readonly reply: AnyCodec }
  readonly client: Readonly<Record<string, ClientEvent>>
  readonly server: Readonly<Record<string, ServerEvent>>
  /** Present if the topic has a history that backends may read (`GET /v1/topics/{topic}/messages`). */
  readonly history?: HistoryDeclaration
  /** How an event that a backend publishes live reaches the clients; absent: as it is. */
  readonly liveEvent?: (event: string, payload: object) => { readonly event: string; readonly payload: object }
  /** The buckets that the handlers use; the NATS user of the service gets the permissions for them. */
  readonly buckets?: UsedBuckets
}

export interface HistoryDeclaration {
  /** A message as the replies of the channel have it. */
  readonly message: AnyCodec
  /** The message of a stored entry, before `message` decodes it. */
  readonly fromEntry: (entry: LogEntry) => unknown
}

export interface UsedBuckets {
  readonly reads?: ReadonlyArray<Bucket>
  readonly writes?: ReadonlyArray<Bucket>
}

type Event<D extends Declaration> = keyof D["server"] & string
type EventPayload<D extends Declaration, E extends Event<D>> = D["server"][E]["payload"]["Type"]
type Reply<E extends ClientEvent> = E extends { readonly reply: infer R extends AnyCodec } ? R["Type"] : void

/** A membership as the handlers of its channel see it: one join of one socket. */
export interface Membership<D extends Declaration, State> {
  readonly topic: string
  readonly params: { readonly [K in keyof D["params"]]: D["params"][K]["Type"] }
  readonly identity: Identity
  readonly socketId: string
  readonly state: State
  /** Sends an event to this socket only. */
  readonly push: <E extends Event<D>>(event: E, payload: EventPayload<D, E>) => Effect.Effect<void>
  /** Sends an event to all subscribers of the topic on all nodes, with `excludeSelf` to all other subscribers. */
  readonly broadcast: <E extends Event<D>>(
    event: E,
    payload: EventPayload<D, E>,
    options?: { readonly excludeSelf?: boolean; readonly seq?: number },
  ) => Effect.Effect<void>
  /** The event that is being handled gets no reply if it succeeds. */
  readonly omitReply: () => void
  /** Subscribes the socket to a subtopic as well, until the scope closes. */
  readonly listen: (subtopic: string) => Effect.Effect<void, never, Scope.Scope>
  /**
   * For a large reply: waits until the client has read most of the earlier messages, and returns the most bytes of the reply.
   * Read the content afterwards, so that it waits in the store and not in memory.
   */
  readonly awaitCapacity: Effect.Effect<number>
}

export interface JoinResult<D extends Declaration> {
  readonly reply: D["join"]["reply"]["Type"]
  /** The reply includes all broadcasts up to this `seq`; the client does not receive them again. */
  readonly upToSeq?: number
}

export interface Handlers<D extends Declaration, J extends JoinResult<D>> extends EventHandlers<D, J> {
  readonly join: JoinHandler<D, J>
}

export type JoinHandler<D extends Declaration, J extends JoinResult<D>> = (
  member: Membership<D, undefined>,
  payload: D["join"]["payload"]["Type"],
) => Effect.Effect<J, ChannelError | PortError, Scope.Scope>

/** The handlers that need the state which `join` returned. */
export interface EventHandlers<D extends Declaration, J extends JoinResult<D>> {
  readonly on: {
    readonly [E in keyof D["client"]]: (
      member: Membership<D, StateOf<D, J>>,
      payload: D["client"][E]["payload"]["Type"],
    ) => Effect.Effect<Reply<D["client"][E]>, ChannelError | PortError, Scope.Scope>
  }
  /** Whether a topic that matches the pattern exists; default: every one. */
  readonly accepts?: (topic: string) => boolean
  /** Runs once when a membership ends, for any reason; times out after 5 s. */
  readonly leave?: (member: Membership<D, StateOf<D, J>>) => Effect.Effect<void>
}

type StateOf<D extends Declaration, J extends JoinResult<D>> = Omit<J, keyof JoinResult<D>>

export interface Channel<D extends Declaration> {
  readonly declaration: D
  /** `join` is a separate parameter, so that TypeScript infers the state from it before it checks the others. */
  readonly handlers: <J extends JoinResult<D>>(join: JoinHandler<D, J>, events: EventHandlers<D, J>) => Handlers<D, J>
  /** Registers the channel. */
  readonly toLayer: <J extends JoinResult<D>, E, R>(
    build: Effect.Effect<Handlers<D, J>, E, R>,
  ) => Layer.Layer<never, E, ChannelRegistry | Topics | Exclude<R, Scope.Scope>>
  /** Sends an event to all subscribers of a topic from outside the channel. */
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
  readonly history?: HistoryDeclaration
  readonly liveEvent?: (event: string, payload: object) => { readonly event: string; readonly payload: object }
  readonly buckets?: UsedBuckets
}) => makeChannel<{ topic: Topic; params: P; join: J; client: C; server: S }>(declaration)

const makeChannel = <D extends Declaration>(declaration: D): Channel<D> => {
  const pattern = compile(declaration.topic, declaration.params)
  const outgoing = outgoingEvents(declaration)
  return {
    declaration,
    handlers: (join, events) => ({ join, ...events }),
    toLayer: (build) =>
      Layer.effectDiscard(
        Effect.gen(function* () {
          const channels = yield* ChannelRegistry
          const policy = yield* JoinPolicy
          const access = yield* RoomAccess
          const handlers = yield* build
          channels.register(defineChannel(declaration, pattern.match, outgoing, { policy, access }, handlers))
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

type Outgoing = (event: string) => { readonly encode: Encode; readonly droppable: boolean }

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

/** The client learns only that it may try again; the log has the cause. */
const toReplyError = <A, R>(effect: Effect.Effect<A, ChannelError | PortError, R>): Effect.Effect<A, ChannelError, R> =>
  Effect.catch(effect, (error) =>
    error instanceof ChannelError
      ? Effect.fail(error)
      : Effect.andThen(
          Effect.logWarning("a port failed in a channel handler; the client received `unavailable`", error),
          Effect.fail(unavailable),
        ),
  )

const typedMembership = <D extends Declaration, State>(
  member: MembershipHandle,
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
  // The cast is sound: `params` was decoded with the Schemas of this declaration, and `state` is the value that the `join`
  // of this channel returned. TypeScript cannot follow either through the registry, which holds channels of all types.
  return {
    topic: member.topic,
    params: member.params,
    get identity() {
      return member.identity
    },
    socketId: member.socketId,
    state: member.state,
    awaitCapacity: member.awaitCapacity,
    push,
    broadcast,
    omitReply: () => member.omitReply(),
    listen: (subtopic) =>
      Effect.acquireRelease(
        Effect.sync(() => member.listen(subtopic)),
        () => Effect.sync(() => member.unlisten(subtopic)),
      ),
  } as Membership<D, State>
}

/** An entry that is no message of the channel is a bug in the channel. */
const messageEncoder = ({ fromEntry, message }: HistoryDeclaration) => {
  const decode = Schema.decodeUnknownEffect(message)
  const encode = encoder(message)
  return (entry: LogEntry): Effect.Effect<Payload> => Effect.flatMap(Effect.orDie(decode(fromEntry(entry))), encode)
}

const defineChannel = <D extends Declaration, J extends JoinResult<D>>(
  declaration: D,
  match: ChannelDefinition["match"],
  outgoing: Outgoing,
  { access, policy }: { readonly access: RoomAccess; readonly policy: JoinPolicy },
  handlers: Handlers<D, J>,
): ChannelDefinition => {
  type State = StateOf<D, J>
  const decodeJoin = decoder(declaration.join.payload)
  const encodeJoin = replyEncoder(declaration.join.reply)
  const { accepts, leave } = handlers
  const authorize = allPolicies(policy, access.join)
  const { push: authorizePush } = access

  const join: ChannelDefinition["join"] = (member, payload) =>
    Effect.gen(function* () {
      member.setGrant(yield* authorize({ identity: member.identity, topic: member.topic, params: payload }))
      // The cast is sound: `decodeJoin` was made from the declaration.
      const decoded = (yield* decodeJoin(payload)) as D["join"]["payload"]["Type"]
      const { reply, upToSeq, ...state } = yield* toReplyError(
        handlers.join(typedMembership(member, outgoing), decoded),
      )
      return { reply: yield* encodeJoin(reply), state: stateOrShared(state), upToSeq }
    })

  const events = new Map<string, MapValue<ChannelDefinition["events"]>>()
  for (const [event, spec] of Object.entries(declaration.client)) {
    const handle = handlers.on[event]
    if (handle === undefined) continue
    const decode = decoder(spec.payload)
    const encode: Encode = spec.reply === undefined ? () => Effect.succeed({}) : encoder(spec.reply)
    events.set(event, {
      allowGuests: spec.allowGuests === true,
      allowBackends: spec.allowBackends === true,
      handle: (member, payload) =>
        Effect.flatMap(decode(payload), (decoded) =>
          Effect.flatMap(toReplyError(handle(typedMembership<D, State>(member, outgoing), decoded)), encode),
        ),
    })
  }

  return {
    pattern: declaration.topic,
    match: accepts === undefined ? match : (topic) => (accepts(topic) ? match(topic) : undefined),
    liveEvent: declaration.liveEvent,
    authorizePush:
      authorizePush === undefined
        ? undefined
        : (member, event, params) => authorizePush({ identity: member.identity, topic: member.topic, event, params }),
    toMessage: declaration.history === undefined ? undefined : messageEncoder(declaration.history),
    hasPresence: declaration.server["presence_state"] !== undefined,
    join,
    events,
    leave: leave === undefined ? undefined : (member) => leave(typedMembership<D, State>(member, outgoing)),
  }
}

type MapValue<M> = M extends ReadonlyMap<unknown, infer V> ? V : never

const emptyState = Object.freeze({})

/** Most memberships have no state; they share one object. */
const stateOrShared = (state: object): object => (Object.keys(state).length === 0 ? emptyState : state)
