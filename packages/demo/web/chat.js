/** The chat beside the video: messages with edits, replies and reactions, unread counts, typing notices and presence. */
import { Presence } from "phoenix"
import { onSubmit } from "./entries.js"
import { createMessages } from "./messages.js"

const room = "lobby"
const topic = `chat:room:${room}`
const typingEvery = 2000
const olderPage = 30

/** Joins the room; after a reconnect it requests what it missed. */
export const createChat = (socket, session, byId, log) => {
  const { userId } = session
  const list = byId("chat")
  const fault = byId("chat-fault")
  const typing = new Set()
  let toldTyping = 0
  /** The message that the form edits or replies to: `{mode, message}`. */
  let composing
  /** The last `seq` that this user has read. */
  let readUpTo = 0

  const compose = (next) => {
    composing = next
    byId("composing").hidden = next === undefined
    if (next === undefined) return
    const { message, mode } = next
    byId("composing-text").textContent =
      mode === "edit" ? "Editing your message" : `Reply to ${message.user_id}: ${message.content}`
    if (mode === "edit") byId("chat-text").value = message.content
    byId("chat-text").focus()
  }

  const showFault = ({ message, reason }) => {
    fault.textContent = message ?? (reason === "not_found" ? "This message is gone." : `Refused: ${reason}`)
  }
  const ask = (event, payload, onOk) =>
    channel
      .push(event, payload)
      .receive("ok", (reply) => {
        fault.textContent = ""
        onOk?.(reply)
      })
      .receive("error", showFault)

  const messages = createMessages(list, userId, {
    reply: (message) => compose({ mode: "reply", message }),
    edit: (message) => compose({ mode: "edit", message }),
    remove: ({ id }) => ask("delete_message", { id }),
    react: ({ id, own_reactions: own = [] }, emoji) =>
      ask(own.includes(emoji) ? "unreact" : "react", { id, emoji }, (reply) => messages.setOwnReactions(id, reply)),
  })
  const channel = socket.channel(topic, () => ({ presence: true, last: olderPage, ...messages.since() }))

  const showUnread = () => {
    const count = messages.countAfter(readUpTo)
    byId("unread").hidden = count === 0
    byId("unread").textContent = `${count} unread`
  }

  /** A visible end of the list counts as read. */
  const markRead = () => {
    const seq = messages.lastSeq
    if (document.visibilityState !== "visible" || !messages.isAtEnd() || seq <= readUpTo) return showUnread()
    readUpTo = seq
    channel.push("mark_read", { seq })
    showUnread()
  }

  const showTyping = () => {
    const names = [...typing]
    byId("typing").textContent =
      names.length === 0 ? "" : names.length > 2 ? "Several people are typing" : `${names.join(" and ")} typing`
  }

  const presence = new Presence(channel)
  presence.onSync(() => {
    const users = presence.list((id, { metas }) => ({ id, times: metas.length }))
    byId("present-count").textContent = String(users.length)
    byId("present").replaceChildren(
      ...users.map(({ id, times }) => {
        const item = document.createElement("li")
        item.textContent = id === userId ? `${id} (you)` : id
        if (times > 1) item.title = `here ${times} times`
        return item
      }),
    )
  })

  channel.on("new_message", (message) => {
    messages.add(message)
    log("new_message", { hint: `${message.user_id}: ${message.content}`, ...message })
    markRead()
  })
  for (const event of ["message_edited", "message_removed", "reactions"]) {
    channel.on(event, (payload) => {
      messages.change(event, payload)
      log(event, { hint: payload.content ?? payload.reason ?? JSON.stringify(payload.counts), ...payload })
      showUnread()
    })
  }
  channel.on("read", ({ user_id: id, seq }) => {
    // Another tab of this user.
    if (id === userId) readUpTo = Math.max(readUpTo, seq)
    showUnread()
  })
  channel.on("user_typing", ({ user_id: id, is_typing: isTyping }) => {
    if (isTyping) typing.add(id)
    else typing.delete(id)
    showTyping()
  })
  channel.onError(() => {
    typing.clear()
    showTyping()
  })

  list.addEventListener("scroll", markRead)
  // A list that grows may show its end without a scroll.
  new ResizeObserver(markRead).observe(list)
  document.addEventListener("visibilitychange", markRead)
  byId("composing-cancel").addEventListener("click", () => {
    if (composing?.mode === "edit") byId("chat-text").value = ""
    compose(undefined)
  })
  byId("older").addEventListener("click", () => {
    ask("history", { before: messages.firstSeq, limit: olderPage }, ({ messages: page, more }) => {
      messages.addOlder(page)
      byId("older").hidden = !more
    })
  })
  byId("chat-text").addEventListener("input", () => {
    if (Date.now() - toldTyping < typingEvery) return
    toldTyping = Date.now()
    channel.push("typing_start", {})
  })
  onSubmit(byId("chat-form"), byId("chat-text"), fault, (content) => {
    toldTyping = 0
    const { message, mode } = composing ?? {}
    const push =
      mode === "edit"
        ? channel.push("edit_message", { id: message.id, content })
        : // With the same client_id a retry is the same message.
          channel.push("new_message", {
            content,
            client_id: crypto.randomUUID(),
            ...(message === undefined ? {} : { reply_to: message.id }),
          })
    return push.receive("ok", () => compose(undefined))
  })

  /** The position from an earlier visit. */
  const loadReadState = async () => {
    const response = await fetch(`/v1/users/${userId}/rooms`, {
      headers: { authorization: `Bearer ${session.token()}` },
    })
    if (!response.ok) return
    const { rooms } = await response.json()
    readUpTo = Math.max(readUpTo, rooms.find((one) => one.topic === topic)?.seq ?? 0)
  }

  channel.join().receive("ok", (reply) => {
    const isFirst = messages.since().since === undefined
    messages.addReplay(channel, reply)
    if (isFirst) {
      byId("older").hidden = !reply.more
      loadReadState().then(markRead, markRead)
    }
    log(`joined ${topic}`, { hint: `${reply.messages.length} messages`, recovered: reply.recovered }, "sent")
  })
}
