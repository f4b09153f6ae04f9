/**
 * A typed wrapper of the channels of the official `phoenix` client.
 *
 * ```ts
 * import { channel, connect, isErrorReply } from "@armoricore/client"
 *
 * const { socket } = connect("/socket", { token: () => fetchToken() })
 * const room = channel(socket, "chat:room:42", { last: 20 })
 * room.onJoin(({ messages, recovered }) => show(messages, recovered))
 * room.on("new_message", (message) => show([message], true))
 * await room.join()
 * await room.push("new_message", { content: "hello", client_id: crypto.randomUUID() })
 * ```
 *
 * A channel remembers up to which `seq` and `rev` it received everything, and sends both when it joins again. `onJoin`
 * receives the oldest missed messages, with `recovered: false` if some are no longer stored; the listeners of the events
 * receive the changes that it missed (edits, removals, reactions). With `more: true` the client requests the rest, page by
 * page, and `onCatchUp` receives it; new messages arrive meanwhile. A message may arrive more than once, for example as a
 * broadcast and in a page; all copies have the same `id`.
 */
import type { Channels } from "./Protocol.ts"

/** The part of `phoenix` that this module uses. */
export interface PushLike {
  receive(status: string, callback: (response: Record<string, unknown>) => void): PushLike
}
export interface ChannelLike {
  join(timeout?: number): PushLike
  leave(timeout?: number): PushLike
  push(event: string, payload: object, timeout?: number): PushLike
  on(event: string, callback: (payload: Record<string, unknown>) => void): number
  onError(callback: (reason?: unknown) => void): unknown
  onClose(callback: (payload?: unknown) => void): unknown
}
export interface SocketLike {
  channel(topic: string, params?: object | (() => object)): ChannelLike
}

type AnyDeclaration = Channels[keyof Channels]

/** Every topic of the server. */
export type Topic = AnyDeclaration["topic"]

/** The declaration of a topic. */
export type DeclarationOf<T extends Topic> = {
  [K in keyof Channels]: T extends Channels[K]["topic"] ? Channels[K] : never
}[keyof Channels]

export type JoinPayload<D extends AnyDeclaration> = D["join"]["payload"]
export type JoinReply<D extends AnyDeclaration> = D["join"]["reply"]
export type ClientEvents<D extends AnyDeclaration> = keyof D["client"] & string
export type ServerEvents<D extends AnyDeclaration> = keyof D["server"] & string
export type EventPayload<E> = E extends { readonly payload: infer P } ? P : never
export type EventReply<E> = E extends { readonly reply: infer R } ? R : never
/** The reply to a request for a page: the event `history`, in an inbox `items`; `never` on a topic without a history. */
export type HistoryReply<D extends AnyDeclaration> = D["client"] extends { readonly history: infer E }
  ? EventReply<E>
  : D["client"] extends { readonly items: infer E }
    ? EventReply<E>
    : never

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
  /**
   * Receives the further pages of missed entries, oldest first; the last one has `more: false`, and `recovered: false` says
   * that entries before the page are no longer stored. The client requests them by itself after a join with `since` whose
   * reply has `more: true`.
   */
  readonly onCatchUp: (listener: (page: HistoryReply<D>) => void) => void
  /** Rejects with {@link ErrorReply} or {@link PushTimeout}. */
  readonly push: <E extends ClientEvents<D>>(
    event: E,
    payload: EventPayload<D["client"][E]>,
  ) => Promise<EventReply<D["client"][E]>>
  /** Also receives the edits, removals and reactions that a reply to a join or a page of history contains. */
  readonly on: <E extends ServerEvents<D>>(event: E, listener: (payload: D["server"][E]) => void) => void
  /** As `on`, for events that a backend publishes and the types do not name. */
  readonly onEvent: (event: string, listener: (payload: Record<string, unknown>) => void) => void
  /** Sends a new token; call it before the current one expires. */
  readonly refreshToken: (token: string) => Promise<{ readonly expires_at: string }>
  readonly leave: () => Promise<void>
  /** The channel of the `phoenix` client. */
  readonly raw: ChannelLike
}

/** In milliseconds, before a failed request for a page is repeated. */
const retryDelay = 1000

/** The running page request of each socket: one at a time, so that none waits behind the pages of other channels. */
const requests = new WeakMap<SocketLike, Promise<unknown>>()

const inTurn = <A>(socket: SocketLike, request: () => Promise<A>): Promise<A> => {
  const turn = (requests.get(socket) ?? Promise.resolve()).then(request, request)
  requests.set(socket, turn)
  return turn
}

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** Settles with the reply to a push of the `phoenix` client. */
export const request = <A>(push: PushLike): Promise<A> =>
  new Promise((resolve, reject) => {
    push
      // The server encodes with the declarations from which the types are generated.
      .receive("ok", (response) => resolve(response as A))
      .receive("error", (response) => reject(response))
      .receive("timeout", () => reject({ reason: "timeout" } satisfies PushTimeout))
  })

/** Events whose `seq` is not a position of this topic's history that was received. */
const untrackedEvents = new Set(["read"])

/** Up to which `seq`, and up to which change (`rev`), the channel received everything. */
class Position {
  since: number | undefined
  rev: number | undefined
  /** A page is missing before the latest messages, so these do not move the position. */
  isBehind = false
  /** The history may have been reset, so a lower `seq` is its first one. */
  #mayFall = false

  track(value: unknown): void {
    if (this.isBehind || typeof value !== "object" || value === null) return
    // A change has the `seq` of the message that it is about.
    if ("rev" in value) return this.#trackRev(value.rev)
    if (!("seq" in value) || typeof value.seq !== "number") return
    // After an outage of the history, a message may arrive with a lower `seq` than the one before it.
    this.since = this.#mayFall ? value.seq : Math.max(this.since ?? 0, value.seq)
    this.#mayFall = false
  }

  /** For a request; absent before the first change. */
  get revision(): { readonly rev?: number } {
    return this.rev === undefined ? {} : { rev: this.rev }
  }

  /** Returns true if pages are missing. */
  onJoin(reply: Record<string, unknown>, isContinued: boolean): boolean {
    this.isBehind = false
    this.#mayFall = reply["recovered"] === false
    if (this.#mayFall) this.rev = undefined
    this.trackAll(reply)
    this.isBehind = isContinued && reply["more"] === true
    return this.isBehind
  }

  /** The next page after the position. */
  onPage(page: Record<string, unknown>): void {
    this.isBehind = false
    if (page["recovered"] === false) this.#mayFall = true
    this.trackAll(page)
    this.isBehind = page["more"] === true
  }

  #trackRev(rev: unknown): void {
    if (typeof rev === "number") this.rev = Math.max(this.rev ?? 0, rev)
  }

  trackAll(reply: Record<string, unknown>): void {
    this.#trackRev(reply["rev"])
    for (const list of Object.values(reply)) if (Array.isArray(list)) for (const item of list) this.track(item)
  }
}

export const channel = <T extends Topic>(
  socket: SocketLike,
  topic: T,
  payload: JoinPayload<DeclarationOf<T>> & object,
): TypedChannel<DeclarationOf<T>> => {
  const position = new Position()
  /** Increases with each join; an earlier join's requests for pages end then. */
  let joinCount = 0
  let isContinued = false
  const joinListeners: Array<(reply: never) => void> = []
  const catchUpListeners: Array<(page: never) => void> = []
  const raw = socket.channel(topic, () => {
    // `last` limits the first join only; a later join with it would request smaller pages.
    const params: Record<string, unknown> = Object.assign(
      {},
      payload,
      position.since === undefined ? {} : { since: position.since, ...position.revision, last: undefined },
    )
    isContinued = typeof params["since"] === "number"
    return params
  })

  const listeners = new Map<string, Array<(payload: Record<string, unknown>) => void>>()
  const dispatch = (event: string, message: Record<string, unknown>): void => {
    for (const listener of listeners.get(event) ?? []) listener(message)
  }
  const onEvent = (event: string, listener: (payload: Record<string, unknown>) => void): void => {
    const known = listeners.get(event)
    if (known !== undefined) return void known.push(listener)
    listeners.set(event, [listener])
    raw.on(event, (message) => {
      if (!untrackedEvents.has(event)) position.track(message)
      dispatch(event, message)
    })
  }
  /** The edits, removals and reactions that a reply has beside its messages. */
  const dispatchChanges = ({ changes }: Record<string, unknown>): void => {
    if (Array.isArray(changes)) for (const { event, payload } of changes) dispatch(event, payload)
  }

  /** Requests pages until everything that the join number `join` missed has arrived. */
  const catchUp = async (join: number): Promise<void> => {
    const isCurrent = () => join === joinCount
    while (isCurrent() && position.isBehind) {
      try {
        await inTurn(socket, async () => {
          if (!isCurrent()) return
          const page = await request<Record<string, unknown>>(
            raw.push(topic.startsWith("inbox:") ? "items" : "history", {
              after: position.since,
              ...position.revision,
            }),
          )
          if (!isCurrent()) return
          position.onPage(page)
          for (const listener of catchUpListeners) listener(page as never)
          dispatchChanges(page)
        })
      } catch (error) {
        const wait = isErrorReply(error) ? error["retry_after_ms"] : undefined
        await pause(typeof wait === "number" ? wait : retryDelay)
      }
    }
  }

  return {
    raw,
    join: () => {
      const push = raw.join()
      push.receive("ok", (reply) => {
        const isBehind = position.onJoin(reply, isContinued)
        for (const listener of joinListeners) listener(reply as never)
        dispatchChanges(reply)
        joinCount++
        if (isBehind) void catchUp(joinCount)
      })
      return request(push)
    },
    onJoin: (listener) => {
      joinListeners.push(listener)
    },
    onCatchUp: (listener) => {
      catchUpListeners.push(listener)
    },
    push: (event, content) => request(raw.push(event, Object.assign({}, content))),
    on: (event, listener) => onEvent(event, (message) => listener(message as never)),
    onEvent,
    refreshToken: (token) => request(raw.push("access_token", { token })),
    leave: async () => {
      joinCount++
      await request(raw.leave())
    },
  }
}
