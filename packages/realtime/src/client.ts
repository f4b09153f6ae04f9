/**
 * Types for TypeScript clients, inferred from the channels' declarations, around the `phoenix` package's own socket;
 * usable in a browser, since only types of the server come along.
 *
 * ```ts
 * import { Socket } from "phoenix"
 * import { channel, isRefused } from "@armoricore/realtime/client"
 *
 * const socket = new Socket("/socket", { params: () => ({ token }) })
 * socket.connect()
 * const room = channel(socket, "chat:room:42", { last: 20 })
 * room.onJoin(({ messages, recovered }) => show(messages, recovered))
 * room.on("new_message", (message) => show([message], true))
 * await room.join()
 * await room.push("new_message", { content: "hello", client_id: crypto.randomUUID() })
 * ```
 *
 * It keeps the last `seq` it saw and joins again with it as `since`, so after a reconnect `onJoin` is told what came
 * meanwhile, and by `recovered` whether any of it is gone. What comes twice (a message sent again, its broadcast and its
 * reply) has the same `id`.
 */
import type { ClientEvent } from "./channel/Channel.ts"
import type { Declarations } from "./channels/BuiltInChannels.ts"

/** The parts of `phoenix` that are used. */
export interface PushLike {
  receive(status: string, callback: (response: Record<string, unknown>) => void): PushLike
}
export interface ChannelLike {
  join(timeout?: number): PushLike
  leave(timeout?: number): PushLike
  push(event: string, payload: object, timeout?: number): PushLike
  on(event: string, callback: (payload: Record<string, unknown>) => void): number
}
export interface SocketLike {
  channel(topic: string, params?: object | (() => object)): ChannelLike
}

type TopicOf<Pattern extends string> = Pattern extends `${infer Head}{${string}}${infer Rest}`
  ? `${Head}${string}${TopicOf<Rest>}`
  : Pattern

type AnyDeclaration = Declarations[keyof Declarations]

/** Topics that there are. */
export type Topic = { [K in keyof Declarations]: TopicOf<Declarations[K]["topic"]> }[keyof Declarations]

/** The declaration of a topic. */
export type DeclarationOf<T extends string> = {
  [K in keyof Declarations]: T extends TopicOf<Declarations[K]["topic"]> ? Declarations[K] : never
}[keyof Declarations]

export type JoinPayload<D extends AnyDeclaration> = D["join"]["payload"]["Encoded"]
export type JoinReply<D extends AnyDeclaration> = D["join"]["reply"]["Encoded"]
export type ClientEvents<D extends AnyDeclaration> = keyof D["client"] & string
export type ServerEvents<D extends AnyDeclaration> = keyof D["server"] & string
type EncodedPayload<E> = E extends ClientEvent ? E["payload"]["Encoded"] : never
type EncodedReply<E> = E extends { readonly reply: { readonly Encoded: infer R } } ? R : Record<string, never>
type EncodedEvent<E> = E extends { readonly payload: { readonly Encoded: infer P } } ? P : never

/** The error reply: `reason` is one of the catalogue in the documents for clients. */
export interface ErrorReply {
  readonly reason: string
  readonly [detail: string]: unknown
}

/** No answer came in time: the push may or may not have arrived. Send it again with the same `client_id`. */
export interface PushTimeout {
  readonly reason: "timeout"
}

export const isErrorReply = (error: unknown): error is ErrorReply =>
  typeof error === "object" && error !== null && "reason" in error && typeof error.reason === "string"

export interface TypedChannel<D extends AnyDeclaration> {
  /** Settles with the first answer; later joins, after a reconnect, are told to `onJoin` alone. */
  readonly join: () => Promise<JoinReply<D>>
  readonly onJoin: (listener: (reply: JoinReply<D>) => void) => void
  /** Rejects with {@link ErrorReply} or {@link PushTimeout}. */
  readonly push: <E extends ClientEvents<D>>(
    event: E,
    payload: EncodedPayload<D["client"][E]>,
  ) => Promise<EncodedReply<D["client"][E]>>
  readonly on: <E extends ServerEvents<D>>(event: E, listener: (payload: EncodedEvent<D["server"][E]>) => void) => void
  /** A new token, before the old one ends. */
  readonly refreshToken: (token: string) => Promise<{ readonly expires_at: string }>
  readonly leave: () => Promise<void>
}

export const channel = <T extends Topic>(
  socket: SocketLike,
  topic: T,
  payload: JoinPayload<DeclarationOf<T>> & object,
): TypedChannel<DeclarationOf<T>> => {
  let seq: number | undefined
  const trackSeq = (value: unknown): void => {
    if (typeof value !== "object" || value === null || !("seq" in value) || typeof value.seq !== "number") return
    // They come in order; a lower one is the first of a history that began anew.
    seq = value.seq
  }
  const joinListeners: Array<(reply: never) => void> = []
  // How many of the latest to begin with says nothing of how many were missed: with `last` only so many would come.
  const raw = socket.channel(topic, () =>
    Object.assign({}, payload, seq === undefined ? {} : { since: seq, last: undefined }),
  )

  // What the server sends fits its own declaration, or it would have crashed instead: these are the places where JSON
  // from the wire gets its type.
  const settle = <A>(push: PushLike): Promise<A> =>
    new Promise((resolve, reject) => {
      push
        .receive("ok", (response) => resolve(response as A))
        .receive("error", (response) => reject(response))
        .receive("timeout", () => reject({ reason: "timeout" } satisfies PushTimeout))
    })

  return {
    join: () => {
      const push = raw.join()
      push.receive("ok", (reply) => {
        for (const list of Object.values(reply)) if (Array.isArray(list)) list.forEach(trackSeq)
        for (const listener of joinListeners) listener(reply as never)
      })
      return settle(push)
    },
    onJoin: (listener) => {
      joinListeners.push(listener)
    },
    push: (event, content) => settle(raw.push(event, Object.assign({}, content))),
    on: (event, listener) => {
      raw.on(event, (message) => {
        trackSeq(message)
        listener(message as never)
      })
    },
    refreshToken: (token) => settle(raw.push("access_token", { token })),
    leave: async () => {
      await settle(raw.leave())
    },
  }
}
