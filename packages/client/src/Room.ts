/**
 * A chat room with its state: what a page shows and does in a room, so that an application needs no code for recovery,
 * order, duplicates or lost replies. `useRoom` of `@armoricore/client/react` wraps it.
 *
 * ```ts
 * const chat = openRoom(socket, "chat:room:42", { presence: true, userId })
 * chat.subscribe(() => render(chat.state()))
 * await chat.send("hello")
 * ```
 */
import { type Present, type PresentUser, trackPresence } from "./PresenceList.ts"
import { type RoomMessage, RoomMessages } from "./RoomMessages.ts"
import { type Store, WritableStore } from "./Store.ts"
import { channel, type ErrorReply, isErrorReply, request, type SocketLike } from "./TypedChannel.ts"

export type RoomTopic = `chat:room:${string}` | `dm:${string}`

export interface RoomOptions {
  /** Messages of the first join; default 50. */
  readonly last?: number
  /** Whether this user is shown as present and sees who is; default false. */
  readonly presence?: boolean
  /** The user of the token; it tells own messages from those of others. */
  readonly userId?: string
  /** The `seq` up to which the user has read, from `GET /v1/users/{id}/rooms`; default everything of the first join. */
  readonly readUpTo?: number
}

export interface RoomState {
  /** `refused`: the user may not join. `closed`: the user left or was removed; `error` has the reason. */
  readonly status: "joining" | "joined" | "refused" | "closed"
  readonly error?: ErrorReply | undefined
  /** Ascending. */
  readonly messages: ReadonlyArray<RoomMessage>
  /** Older messages are stored: `loadOlder` requests them. */
  readonly hasOlder: boolean
  /** Users who type, without this one. */
  readonly typing: ReadonlyArray<string>
  readonly present: ReadonlyArray<PresentUser>
  readonly presentCount: number
  /** The last `seq` that other users read, as far as it changed since the join. */
  readonly readBy: Readonly<Record<string, number>>
  /** Messages of others after the last `markRead`, of this client or another one of the user. */
  readonly unread: number
}

export interface MessageExtras {
  /** The id of a message. */
  readonly reply_to?: string
  readonly mentions?: ReadonlyArray<string>
  readonly metadata?: Readonly<Record<string, unknown>>
  /** Ids of media. */
  readonly attachments?: ReadonlyArray<string>
}

export interface Room extends Store<RoomState> {
  /** Shows the message at once and sends it until the server answers. Rejects with {@link ErrorReply} if it refuses. */
  readonly send: (content: string, extras?: MessageExtras) => Promise<void>
  readonly edit: (id: string, content: string) => Promise<void>
  readonly remove: (id: string) => Promise<void>
  readonly react: (id: string, emoji: string) => Promise<void>
  readonly unreact: (id: string, emoji: string) => Promise<void>
  /** Marks the messages up to `seq` as read; default all. */
  readonly markRead: (seq?: number) => Promise<void>
  /** Call it with `true` at each key press; it limits itself. */
  readonly setTyping: (isTyping: boolean) => void
  /** Requests a page before the oldest message. Resolves to false if no older message is stored. */
  readonly loadOlder: (limit?: number) => Promise<boolean>
  readonly leave: () => Promise<void>
}

/** In milliseconds. */
const retryDelay = 1000
const typingInterval = 2000
const typingTimeout = 4000

/** Errors after which the same join cannot succeed. */
const finalReasons = new Set(["unauthorized", "unmatched topic", "invalid_payload"])
/** Errors after which the same message may succeed. */
const temporaryReasons = new Set(["timeout", "unavailable", "rate_limit", "unmatched topic"])

/** The state before the reply to the join. */
export const initialRoomState: RoomState = {
  status: "joining",
  messages: [],
  hasOlder: false,
  typing: [],
  present: [],
  presentCount: 0,
  readBy: {},
  unread: 0,
}

export const openRoom = (socket: SocketLike, topic: RoomTopic, options: RoomOptions = {}): Room => {
  const { last = 50, presence = false, readUpTo: readBefore, userId } = options
  const messages = new RoomMessages()
  const store = new WritableStore<RoomState>(initialRoomState)
  const typed = channel(socket, topic, { last, ...(presence ? { presence } : {}) })
  const { raw } = typed
  const push = <A = Record<string, unknown>>(event: string, payload: object) => request<A>(raw.push(event, payload))
  let readUpTo = readBefore ?? 0
  let isFirstJoin = true
  let typingSince = 0
  const typingTimers = new Map<string, ReturnType<typeof setTimeout>>()

  const show = (change: Partial<RoomState> = {}): void => {
    const { list } = messages
    const unread = list.filter(
      ({ delivery, seq, user_id }) => delivery === "sent" && seq > readUpTo && user_id !== userId,
    ).length
    store.update({ ...change, messages: list, unread })
  }

  const setUserTyping = (user: string, isTyping: boolean): void => {
    clearTimeout(typingTimers.get(user))
    typingTimers.delete(user)
    // A server that restarts sends no end.
    if (isTyping)
      typingTimers.set(
        user,
        setTimeout(() => setUserTyping(user, false), typingTimeout),
      )
    store.update({ typing: [...typingTimers.keys()] })
  }

  typed.onJoin((reply) => {
    // The history before the reply is gone or unknown, so what is shown would have a gap.
    if (!isFirstJoin && !reply.recovered) messages.clear()
    for (const message of reply.messages) messages.put(message)
    const hasOlder = isFirstJoin || !reply.recovered ? reply.more : store.state().hasOlder
    if (isFirstJoin && readBefore === undefined)
      readUpTo = messages.list.findLast(({ delivery }) => delivery === "sent")?.seq ?? 0
    isFirstJoin = false
    show({ status: "joined", error: undefined, hasOlder })
  })
  typed.onCatchUp((page) => {
    for (const message of page.messages) messages.put(message)
    show()
  })
  typed.on("new_message", (message) => {
    // The reply to an own message may come after its broadcast; both stand for the message that is shown already.
    const echo =
      message.user_id === userId &&
      messages.list.find(({ content, delivery }) => delivery === "sending" && content === message.content)
    if (echo) messages.drop(echo.id)
    if (typingTimers.has(message.user_id)) setUserTyping(message.user_id, false)
    messages.put(message)
    show()
  })
  const onEvent = (event: string, listener: (payload: Record<string, unknown>) => void): void =>
    typed.onEvent(event, (payload) => {
      listener(payload)
      show()
    })
  onEvent("message_edited", (message) => {
    if (messages.get(String(message["id"])) !== undefined) messages.put(message)
  })
  onEvent("message_removed", ({ id }) => messages.remove(String(id)))
  onEvent("reactions", ({ counts, id }) =>
    messages.change(String(id), { reactions: counts as Readonly<Record<string, number>> }),
  )
  raw.on("read", ({ seq, user_id }) => {
    if (user_id === userId) readUpTo = Math.max(readUpTo, Number(seq))
    show({ readBy: { ...store.state().readBy, [String(user_id)]: Number(seq) } })
  })
  raw.on("user_typing", ({ is_typing, user_id }) => setUserTyping(String(user_id), is_typing === true))
  trackPresence(raw, ({ count, users }: Present) => store.update({ present: users, presentCount: count }))
  raw.onError(() => {
    if (store.state().status === "joined") store.update({ status: "joining" })
  })
  raw.onClose((payload) => {
    if (store.state().status === "refused") return
    store.update({ status: "closed", ...(isErrorReply(payload) ? { error: payload } : {}) })
  })
  typed.join().catch((error: unknown) => {
    if (!isErrorReply(error)) return
    const isFinal = finalReasons.has(error.reason)
    store.update({ error, ...(isFinal ? { status: "refused" } : {}) })
    // The client of Phoenix would join again for ever.
    if (isFinal) void typed.leave()
  })

  /** Until the server answers with something else than "later". */
  const sendUntilAnswered = async (payload: object): Promise<Record<string, unknown>> => {
    for (;;) {
      try {
        return await push("new_message", payload)
      } catch (error) {
        const { status } = store.state()
        const isTemporary = isErrorReply(error) && temporaryReasons.has(error.reason)
        if (!isTemporary || status === "closed" || status === "refused") throw error
        const wait = error["retry_after_ms"]
        await new Promise((resolve) => setTimeout(resolve, typeof wait === "number" ? wait : retryDelay))
      }
    }
  }

  const react = (event: "react" | "unreact") => async (id: string, emoji: string) => {
    const { counts, own } = await push<{
      readonly counts?: Readonly<Record<string, number>>
      readonly own?: ReadonlyArray<string>
    }>(event, { id, emoji })
    messages.change(id, {
      ...(counts === undefined ? {} : { reactions: counts }),
      ...(own === undefined ? {} : { own_reactions: own }),
    })
    show()
  }

  return {
    state: store.state,
    subscribe: store.subscribe,
    send: async (content, extras = {}) => {
      const clientId = crypto.randomUUID()
      const { attachments, ...fields } = extras
      messages.putLocal({
        ...fields,
        ...(attachments === undefined ? {} : { attachments: attachments.map((media_id) => ({ media_id })) }),
        id: clientId,
        seq: Infinity,
        content,
        user_id: userId ?? "",
        room_id: topic.replace("chat:room:", ""),
        timestamp: new Date().toISOString(),
        delivery: "sending",
      })
      typingSince = 0
      show()
      try {
        const message = await sendUntilAnswered({ content, client_id: clientId, ...extras })
        messages.drop(clientId)
        messages.put(message)
        show()
      } catch (error) {
        messages.change(clientId, { delivery: "failed", ...(isErrorReply(error) ? { error } : {}) })
        show()
        throw error
      }
    },
    edit: async (id, content) => {
      messages.put(await push("edit_message", { id, content }))
      show()
    },
    remove: async (id) => {
      // A message that was refused exists only here.
      if (messages.get(id)?.delivery === "failed") messages.drop(id)
      else {
        await push("delete_message", { id })
        messages.remove(id)
      }
      show()
    },
    react: react("react"),
    unreact: react("unreact"),
    markRead: async (seq = messages.list.findLast(({ delivery }) => delivery === "sent")?.seq ?? 0) => {
      if (seq <= readUpTo) return
      readUpTo = seq
      show()
      await push("mark_read", { seq })
    },
    setTyping: (isTyping) => {
      const now = Date.now()
      if (isTyping ? now - typingSince < typingInterval : typingSince === 0) return
      typingSince = isTyping ? now : 0
      raw.push(isTyping ? "typing_start" : "typing_stop", {})
    },
    loadOlder: async (limit = 50) => {
      const oldest = messages.list.find(({ delivery }) => delivery === "sent")?.seq
      if (oldest === undefined || !store.state().hasOlder) return false
      const page = await typed.push("history", { before: oldest, limit })
      for (const message of page.messages) messages.put(message)
      show({ hasOlder: page.more })
      return page.messages.length > 0
    },
    leave: async () => {
      for (const timer of typingTimers.values()) clearTimeout(timer)
      store.update({ status: "closed" })
      await typed.leave()
    },
  }
}
