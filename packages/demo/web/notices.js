/**
 * Notifications: requests one from the demo's backend and shows it when the event arrives on the user's topic. The text
 * comes from the local inbox, to which an installation without providers delivers.
 */
import { channel } from "@armoricore/client"

const words = { email: "e-mail", fcm: "push", apns: "push", web_push: "push", in_app: "in-app" }

const ask = async (token, type) => {
  const response = await fetch("/demo/notify", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ notification_type: type }),
  })
  if (!response.ok) throw new Error(`the server answered ${response.status}`)
}

export const createNotices = (socket, session, byId, log) => {
  const list = byId("notices")
  const fault = byId("notice-fault")
  const shown = new Set()
  // Each tab has its own visitor, and the mailbox opens for the visitor of this tab. Renewed at the click: tokens expire.
  const mailbox = byId("mailbox")
  const link = () => (mailbox.href = `/mailbox#token=${encodeURIComponent(session.token())}`)
  link()
  for (const event of ["pointerdown", "focus"]) mailbox.addEventListener(event, link)

  const show = (message) => {
    shown.add(message.message_id)
    const item = document.createElement("li")
    const head = document.createElement("b")
    head.textContent = message.title
    const kind = document.createElement("small")
    kind.textContent = words[message.channel] ?? message.channel
    const text = document.createElement("p")
    text.textContent = message.text
    item.append(head, " ", kind, text)
    list.prepend(item)
  }

  const refresh = async () => {
    const response = await fetch("/v1/inbox", { headers: { authorization: `Bearer ${session.token()}` } })
    if (!response.ok) throw new Error(`the inbox answered ${response.status}`)
    const { messages } = await response.json()
    for (const message of messages.toReversed()) if (!shown.has(message.message_id)) show(message)
  }

  const onNotification = (event, payload) => {
    const outcome = payload.deliveries.map(({ channel, status }) => `${words[channel] ?? channel} ${status}`).join(", ")
    log(event, { hint: outcome, ...payload }, event === "notification_failed" ? "bad" : "good")
    if (event === "notification_failed") fault.textContent = `Not sent: ${payload.error.message}`
    refresh().catch((error) => {
      fault.textContent = `What arrived cannot be shown: ${error.message}`
    })
  }

  const user = channel(socket, `user:${session.userId}`, {})
  for (const event of ["notification_sent", "notification_failed"])
    user.on(event, (payload) => onNotification(event, payload))
  user.onJoin(({ events }) => {
    for (const { event, payload } of events) if (event.startsWith("notification_")) onNotification(event, payload)
  })
  // A refused join is tried again by the client.
  user.join().catch(({ reason }) => {
    fault.textContent = `Cannot follow your notifications: ${reason}`
  })

  for (const [id, type] of [
    ["send-push", "push"],
    ["send-mail", "email"],
    ["send-in-app", "in_app"],
  ]) {
    byId(id).addEventListener("click", () => {
      fault.textContent = ""
      log("notification.requested", { hint: type }, "sent")
      ask(session.token(), type).catch((error) => {
        fault.textContent = `Cannot request it: ${error.message}`
      })
    })
  }
}
