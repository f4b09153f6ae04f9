/**
 * The chat beside the video: messages with edits, replies and reactions, unread counts, typing notices and presence. The
 * client (`openRoom`) recovers after a reconnect, sends each message until it is answered, and has the state that is shown.
 */
import { openRoom } from "@armoricore/client"
import { explain } from "./entries.js"
import { createMessages } from "./messages.js"

const topic = "chat:room:lobby"
const page = 30

/** How far the visitor has read in an earlier visit; `undefined` for a first one. */
const loadReadState = async (session) => {
  const response = await fetch(`/v1/users/${session.userId}/rooms`, {
    headers: { authorization: `Bearer ${session.token()}` },
  })
  if (!response.ok) return undefined
  const { rooms } = await response.json()
  return rooms.find((one) => one.topic === topic)?.seq
}

/** Joins the room and shows it. */
export const createChat = async (socket, session, byId, log) => {
  const { userId } = session
  const list = byId("chat")
  const field = byId("chat-text")
  const fault = byId("chat-fault")
  const readUpTo = await loadReadState(session).catch(() => undefined)
  const room = openRoom(socket, topic, { last: page, presence: true, readUpTo, userId })
  /** The message that the form edits or replies to: `{mode, message}`. */
  let composing
  /** What the log has: the messages by id, and the status of the room. */
  const logged = new Map()
  let status

  const perform = async (action) => {
    try {
      await action
      fault.textContent = ""
      return true
    } catch (error) {
      fault.textContent = explain(error)
      return false
    }
  }

  const compose = (next) => {
    composing = next
    byId("composing").hidden = next === undefined
    if (next === undefined) return
    const { message, mode } = next
    byId("composing-text").textContent =
      mode === "edit" ? "Editing your message" : `Reply to ${message.user_id}: ${message.content}`
    if (mode === "edit") field.value = message.content
    field.focus()
  }

  const messages = createMessages(list, userId, {
    reply: (message) => compose({ mode: "reply", message }),
    edit: (message) => compose({ mode: "edit", message }),
    remove: ({ id }) => perform(room.remove(id)),
    react: ({ id, own_reactions: own = [] }, emoji) =>
      perform(own.includes(emoji) ? room.unreact(id, emoji) : room.react(id, emoji)),
  })

  /** A visible end of the list counts as read. */
  const markRead = () => {
    const { status: current, unread } = room.state()
    if (current === "joined" && unread > 0 && document.visibilityState === "visible" && messages.isAtEnd())
      perform(room.markRead())
  }

  const showPeople = ({ present, presentCount, typing }) => {
    byId("present-count").textContent = String(presentCount)
    byId("present").replaceChildren(
      ...present.map(({ user_id: id }) => {
        const item = document.createElement("li")
        item.textContent = id === userId ? `${id} (you)` : id
        return item
      }),
    )
    byId("typing").textContent =
      typing.length === 0 ? "" : typing.length > 2 ? "Several people are typing" : `${typing.join(" and ")} typing`
  }

  /** What changed since the log was last written. */
  const logChanges = (state) => {
    const isJoin = state.status === "joined" && status !== "joined"
    status = state.status
    if (isJoin) log(`joined ${topic}`, { hint: `${state.messages.length} messages` }, "sent")
    const isFirst = logged.size === 0
    for (const message of state.messages) {
      const before = logged.get(message.id)
      if (message.delivery !== "sent" || before === message) continue
      logged.set(message.id, message)
      if (isFirst && isJoin) continue
      if (before === undefined) log("new_message", { hint: `${message.user_id}: ${message.content}`, ...message })
      else if (before.content !== message.content) log("message_edited", { hint: message.content, ...message })
      else if (before.reactions !== message.reactions)
        log("reactions", { hint: JSON.stringify(message.reactions), id: message.id, counts: message.reactions })
    }
    const ids = new Set(state.messages.map(({ id }) => id))
    for (const [id, { content }] of logged) {
      if (ids.has(id)) continue
      logged.delete(id)
      log("message_removed", { hint: content, id })
    }
  }

  /** `older`: a page of earlier messages was added. */
  const show = (older = false) => {
    const state = room.state()
    messages.show(state.messages, { older })
    showPeople(state)
    byId("older").hidden = !state.hasOlder
    byId("unread").hidden = state.unread === 0
    byId("unread").textContent = `${state.unread} unread`
    if (state.status === "refused" || state.status === "closed")
      fault.textContent = state.error === undefined ? "The chat has ended." : explain(state.error)
    logChanges(state)
    markRead()
  }

  let isLoadingOlder = false
  room.subscribe(() => show(isLoadingOlder))
  list.addEventListener("scroll", markRead)
  // A list that grows may show its end without a scroll.
  new ResizeObserver(markRead).observe(list)
  document.addEventListener("visibilitychange", markRead)
  byId("composing-cancel").addEventListener("click", () => {
    if (composing?.mode === "edit") field.value = ""
    compose(undefined)
  })
  byId("older").addEventListener("click", async () => {
    isLoadingOlder = true
    await perform(room.loadOlder(page))
    isLoadingOlder = false
  })
  field.addEventListener("input", () => room.setTyping(field.value !== ""))
  byId("chat-form").addEventListener("submit", async (event) => {
    event.preventDefault()
    const content = field.value.trim()
    if (content === "") return
    const { message, mode } = composing ?? {}
    field.value = ""
    compose(undefined)
    const isDone = await perform(
      mode === "edit"
        ? room.edit(message.id, content)
        : room.send(content, mode === "reply" ? { reply_to: message.id } : {}),
    )
    // The text of a refused message is not lost.
    if (!isDone && field.value === "") field.value = content
  })
}
