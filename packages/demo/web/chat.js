/** The chat beside the video: messages, typing notices and presence. */
import { Presence } from "phoenix"
import { createEntries, onSubmit } from "./entries.js"

const room = "lobby"
const typingEvery = 2000

/** Joins the room; after a reconnect it requests the messages after the last one it has. */
export const createChat = (socket, userId, byId, log) => {
  const entries = createEntries(byId("chat"), userId)
  const channel = socket.channel(`chat:room:${room}`, () => ({ presence: true, ...entries.since() }))
  const typing = new Set()
  let toldTyping = 0

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
    entries.add(message)
    log("new_message", { hint: `${message.user_id}: ${message.content}`, ...message })
  })
  channel.on("message_removed", ({ id }) => entries.remove(id))
  channel.on("user_typing", ({ user_id: id, is_typing: isTyping }) => {
    if (isTyping) typing.add(id)
    else typing.delete(id)
    showTyping()
  })
  channel.onError(() => {
    typing.clear()
    showTyping()
  })

  byId("chat-text").addEventListener("input", () => {
    if (Date.now() - toldTyping < typingEvery) return
    toldTyping = Date.now()
    channel.push("typing_start", {})
  })
  onSubmit(byId("chat-form"), byId("chat-text"), byId("chat-fault"), (content) => {
    toldTyping = 0
    // With the same client_id a retry is the same message.
    return channel.push("new_message", { content, client_id: crypto.randomUUID() })
  })

  channel.join().receive("ok", ({ messages, recovered, more }) => {
    entries.addReplay(channel, messages, { recovered, more })
    log(`joined chat:room:${room}`, { hint: `${messages.length} messages`, recovered }, "sent")
  })
}
