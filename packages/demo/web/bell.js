/**
 * The bell: the visitor's in-app inbox. The unread count and the list follow the topic `inbox:{user_id}`, so that every tab
 * of the visitor shows the same.
 */
import { channel } from "@armoricore/client"
import { explain } from "./entries.js"

export const createBell = (socket, session, byId, log) => {
  const button = byId("bell")
  const count = byId("bell-count")
  const panel = byId("bell-panel")
  const list = byId("bell-items")
  const empty = byId("bell-empty")
  const fault = byId("bell-fault")
  /** By id. */
  const items = new Map()
  let last = 0

  const row = (item) => {
    const element = document.createElement("li")
    element.dataset.unread = String(!item.read_at)
    const open = document.createElement("button")
    open.type = "button"
    open.className = "bell-item"
    const title = document.createElement("b")
    title.textContent = item.title
    const body = document.createElement("span")
    body.textContent = item.body
    open.append(title, body)
    open.addEventListener("click", () => push("mark_read", { ids: [item.id] }))
    const archive = document.createElement("button")
    archive.type = "button"
    archive.className = "bell-archive"
    archive.textContent = "Archive"
    archive.setAttribute("aria-label", `Archive: ${item.title}`)
    archive.addEventListener("click", () => push("archive", { ids: [item.id] }))
    element.append(open, archive)
    return element
  }

  const render = (unread) => {
    const newest = [...items.values()].sort((a, b) => b.seq - a.seq)
    list.replaceChildren(...newest.map(row))
    empty.hidden = newest.length > 0
    count.textContent = unread > 99 ? "99+" : String(unread)
    count.hidden = unread === 0
    button.setAttribute("aria-label", unread === 0 ? "Inbox" : `Inbox, ${unread} unread`)
  }

  const inbox = channel(socket, `inbox:${session.userId}`, {})
  const push = (event, payload) => {
    fault.textContent = ""
    inbox.push(event, payload).catch((error) => {
      fault.textContent = `Not changed: ${explain(error)}`
    })
  }

  const add = (item) => {
    items.set(item.id, item)
    last = Math.max(last, item.seq)
  }
  const markRead = (ids) => {
    const read_at = new Date().toISOString()
    for (const id of ids) if (items.has(id)) items.set(id, { ...items.get(id), read_at })
  }
  inbox.on("inbox_item", ({ unread, ...item }) => {
    add(item)
    render(unread)
    log("inbox_item", { hint: item.title, unread, ...item }, "good")
  })
  inbox.on("inbox_read", ({ ids, unread }) => {
    markRead(ids)
    render(unread)
  })
  inbox.on("inbox_archived", ({ ids, unread }) => {
    for (const id of ids) items.delete(id)
    render(unread)
  })
  inbox.onJoin((reply) => {
    for (const item of reply.items) add(item)
    render(reply.unread)
  })
  // A refused join is tried again by the client.
  inbox.join().catch((error) => {
    fault.textContent = explain(error)
  })

  const toggle = (open) => {
    panel.hidden = !open
    button.setAttribute("aria-expanded", String(open))
  }
  button.addEventListener("click", () => toggle(panel.hidden))
  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || panel.hidden) return
    toggle(false)
    button.focus()
  })
  byId("bell-read-all").addEventListener("click", () => push("mark_all_read", last === 0 ? {} : { up_to: last }))
}
