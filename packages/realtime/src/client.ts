/**
 * A typed wrapper of the channels of the official `phoenix` client. Its types are inferred from the declarations of the
 * channels. It works in a browser, because it imports only types from the server.
 *
 * ```ts
 * import { Socket } from "phoenix"
 * import { channel, isErrorReply } from "@armoricore/realtime/client"
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
 * A channel remembers the last `seq` that it received and sends it as `since` when it joins again. So after a reconnect
 * `onJoin` receives the missed messages, and `recovered: false` if some of them are no longer stored. A message may
 * arrive more than once, for example as a broadcast and as a reply; all copies have the same `id`.
 */
import type { ClientEvent } from "./channel/Channel.ts"
import type { Declarations } from "./channels/BuiltInChannels.ts"

/** The part of `phoenix` that this module uses. */
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

/** Every topic of the server. */
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

/** An error reply; `docs/clients.md` lists the values of `reason`. */
export interface ErrorReply {
  readonly reason: string
  readonly [detail: string]: unknown
}

/** No reply arrived in time. The server may have handled the push, so send it again with the same `client_id`. */
export interface PushTimeout {
  readonly reason: "timeout"
}

export const isErrorReply = (error: unknown): error is ErrorReply =>
  typeof error === "object" && error !== null && "reason" in error && typeof error.reason === "string"

export interface TypedChannel<D extends AnyDeclaration> {
  /** Settles with the reply to the first join. Only `onJoin` receives the replies to later joins after a reconnect. */
  readonly join: () => Promise<JoinReply<D>>
  readonly onJoin: (listener: (reply: JoinReply<D>) => void) => void
  /** Rejects with {@link ErrorReply} or {@link PushTimeout}. */
  readonly push: <E extends ClientEvents<D>>(
    event: E,
    payload: EncodedPayload<D["client"][E]>,
  ) => Promise<EncodedReply<D["client"][E]>>
  readonly on: <E extends ServerEvents<D>>(event: E, listener: (payload: EncodedEvent<D["server"][E]>) => void) => void
  /** Sends a new token; call it before the current one expires. */
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
    // Entries arrive in order, so a lower `seq` is the first one of a history that was reset.
    seq = value.seq
  }
  const joinListeners: Array<(reply: never) => void> = []
  // `last` limits the first join only; a later join with it would not replay all missed messages.
  const raw = socket.channel(topic, () =>
    Object.assign({}, payload, seq === undefined ? {} : { since: seq, last: undefined }),
  )

  // The casts below are sound: the server encodes with the same declarations, and a mismatch crashes its membership.
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
