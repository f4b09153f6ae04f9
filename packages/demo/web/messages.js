/** The messages of the chat: their list, and how edits, removals and reactions change it. */

const quickReactions = ["👍", "🎉"]

const button = (text, label, onClick) => {
  const element = document.createElement("button")
  element.type = "button"
  element.textContent = text
  if (label !== undefined) element.setAttribute("aria-label", label)
  element.addEventListener("click", onClick)
  return element
}

/** `actions`: `reply`, `edit`, `remove` take a message, `react` a message and an emoji. */
export const createMessages = (list, userId, actions) => {
  /** By id, each with its list item. */
  const messages = new Map()
  let since
  let rev
  // Pages before the latest messages are still missing.
  let isBehind = false

  const isAtEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 60

  const renderReactions = (message) => {
    const row = document.createElement("div")
    row.className = "reactions"
    const own = new Set(message.own_reactions)
    for (const [emoji, count] of Object.entries(message.reactions ?? {})) {
      const reaction = button(`${emoji} ${count}`, `${emoji}, ${count}`, () => actions.react(message, emoji))
      reaction.setAttribute("aria-pressed", String(own.has(emoji)))
      row.append(reaction)
    }
    return row
  }

  const renderActions = (message) => {
    const row = document.createElement("div")
    row.className = "message-actions"
    row.setAttribute("role", "group")
    row.setAttribute("aria-label", `Actions for the message of ${message.user_id}`)
    for (const emoji of quickReactions)
      row.append(button(emoji, `React with ${emoji}`, () => actions.react(message, emoji)))
    row.append(button("Reply", undefined, () => actions.reply(message)))
    if (message.user_id === userId) {
      row.append(button("Edit", undefined, () => actions.edit(message)))
      row.append(button("Delete", undefined, () => actions.remove(message)))
    }
    return row
  }

  const render = (item, message) => {
    const name = document.createElement("b")
    name.textContent = message.user_id
    const time = document.createElement("time")
    time.dateTime = message.timestamp
    const clock = new Date(message.timestamp).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })
    time.textContent = message.edited_at ? `${clock} · edited` : clock
    const text = document.createElement("p")
    text.textContent = message.content
    item.replaceChildren(name, time)
    if (message.reply_to) {
      const quoted = messages.get(message.reply_to)?.message
      const quote = document.createElement("blockquote")
      quote.textContent = quoted ? `${quoted.user_id}: ${quoted.content}` : "a message that is not shown"
      item.append(quote)
    }
    item.append(text, renderReactions(message), renderActions(message))
  }

  const insert = (item, seq) => {
    const wasAtEnd = isAtEnd()
    let next = null
    for (;;) {
      const before = next === null ? list.lastElementChild : next.previousElementSibling
      if (before === null || Number(before.dataset.seq ?? 0) <= seq) break
      next = before
    }
    list.insertBefore(item, next)
    if (wasAtEnd) list.scrollTop = list.scrollHeight
  }

  const put = (message) => {
    const known = messages.get(message.id)
    if (known !== undefined) {
      known.message = { ...message, own_reactions: message.own_reactions ?? known.message.own_reactions }
      render(known.item, known.message)
      return
    }
    const item = document.createElement("li")
    item.classList.toggle("mine", message.user_id === userId)
    item.dataset.seq = String(message.seq)
    messages.set(message.id, { item, message })
    render(item, message)
    insert(item, message.seq)
  }

  const view = {
    /** Join parameters: empty at first, later the positions up to which everything arrived. */
    since: () => (since === undefined ? {} : { since, rev }),
    get: (id) => messages.get(id)?.message,
    get lastSeq() {
      return Math.max(0, ...[...messages.values()].map(({ message }) => message.seq))
    },
    get firstSeq() {
      return Math.min(...[...messages.values()].map(({ message }) => message.seq))
    },
    /** Messages of others after a `seq`. */
    countAfter: (seq) =>
      [...messages.values()].filter(({ message }) => message.seq > seq && message.user_id !== userId).length,
    isAtEnd,
    add: (message) => {
      if (!isBehind) since = Math.max(since ?? 0, message.seq)
      put(message)
    },
    /** One of `message_edited`, `message_removed` and `reactions`. A change of a message that is not shown is ignored. */
    change: (event, payload) => {
      if (!isBehind) rev = Math.max(rev ?? 0, payload.rev)
      const known = messages.get(payload.id)
      if (known === undefined) return
      if (event === "message_edited") put(payload)
      if (event === "reactions") put({ ...known.message, reactions: payload.counts })
      if (event === "message_removed") {
        known.item.remove()
        messages.delete(payload.id)
      }
    },
    setOwnReactions: (id, { counts, own }) => {
      const known = messages.get(id)
      if (known !== undefined) put({ ...known.message, reactions: counts, own_reactions: own })
    },
    /** Adds the reply to a join, and requests the rest if it had no room for everything. */
    addReplay: (channel, reply) => {
      const isRejoin = since !== undefined
      if (!reply.recovered) {
        messages.clear()
        list.replaceChildren()
        rev = undefined
      }
      view.addPage(channel, { ...reply, more: isRejoin && reply.more })
    },
    addPage: (channel, { changes = [], messages: page, more, rev: pageRev }) => {
      isBehind = false
      for (const message of page) view.add(message)
      for (const { event, payload } of changes) view.change(event, payload)
      if (pageRev !== undefined) rev = Math.max(rev ?? 0, pageRev)
      isBehind = more
      if (more) channel.push("history", { after: since, rev }).receive("ok", (next) => view.addPage(channel, next))
    },
    /** Earlier messages; the messages that are shown stay in their place. */
    addOlder: (page) => {
      const height = list.scrollHeight
      for (const message of page) put(message)
      list.scrollTop += list.scrollHeight - height
    },
  }
  return view
}
