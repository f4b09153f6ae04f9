/** The messages of the chat as list items, with the actions that the visitor has on each. */

const quickReactions = ["👍", "🎉"]

const element = (tag, { text, ...properties } = {}, children = []) => {
  const made = Object.assign(document.createElement(tag), properties)
  if (text !== undefined) made.textContent = text
  made.append(...children)
  return made
}

const button = (text, label, onClick) => {
  const made = element("button", { type: "button", text })
  if (label !== undefined) made.setAttribute("aria-label", label)
  made.addEventListener("click", onClick)
  return made
}

const clockOf = (timestamp) => new Date(timestamp).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })

const noteOf = ({ delivery, edited_at: editedAt, timestamp }) => {
  if (delivery === "sending") return "sending …"
  if (delivery === "failed") return "not sent"
  return editedAt === undefined ? clockOf(timestamp) : `${clockOf(timestamp)} · edited`
}

/**
 * Shows `messages` of the client in `list`. `actions`: `reply`, `edit`, `remove` take a message, `react` a message and an
 * emoji.
 */
export const createMessages = (list, userId, actions) => {
  /** By message id: the item, and what it shows. */
  const items = new Map()

  const isAtEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 60

  const reactionsOf = (message) => {
    const own = new Set(message.own_reactions)
    const shown = Object.entries(message.reactions ?? {}).map(([emoji, count]) => {
      const reaction = button(`${emoji} ${count}`, `${emoji}, ${count}`, () => actions.react(message, emoji))
      reaction.setAttribute("aria-pressed", String(own.has(emoji)))
      return reaction
    })
    return element("div", { className: "reactions" }, shown)
  }

  const buttonsOf = (message) => {
    const isMine = message.user_id === userId
    if (message.delivery === "sending") return []
    if (message.delivery === "failed") return [button("Discard", undefined, () => actions.remove(message))]
    return [
      ...quickReactions.map((emoji) => button(emoji, `React with ${emoji}`, () => actions.react(message, emoji))),
      button("Reply", undefined, () => actions.reply(message)),
      ...(isMine
        ? [
            button("Edit", undefined, () => actions.edit(message)),
            button("Delete", undefined, () => actions.remove(message)),
          ]
        : []),
    ]
  }

  const actionsOf = (message) => {
    const row = element("div", { className: "message-actions" }, buttonsOf(message))
    row.setAttribute("role", "group")
    row.setAttribute("aria-label", `Actions for the message of ${message.user_id}`)
    return row
  }

  const quoteOf = (message, quoted) => {
    if (message.reply_to === undefined) return []
    const text = quoted === undefined ? "a message that is not shown" : `${quoted.user_id}: ${quoted.content}`
    return [element("blockquote", { text })]
  }

  const render = (item, message, quoted) => {
    item.classList.toggle("mine", message.user_id === userId)
    item.dataset.delivery = message.delivery
    item.replaceChildren(
      element("b", { text: message.user_id }),
      element("time", { dateTime: message.timestamp, text: noteOf(message) }),
      ...quoteOf(message, quoted),
      element("p", { text: message.content }),
      reactionsOf(message),
      actionsOf(message),
    )
  }

  return {
    isAtEnd,
    /** `older`: earlier messages were added, and those that are shown stay in their place. */
    show: (messages, { older = false } = {}) => {
      const wasAtEnd = isAtEnd()
      const height = list.scrollHeight
      const byId = new Map(messages.map((message) => [message.id, message]))
      for (const [id, { item }] of items) {
        if (byId.has(id)) continue
        item.remove()
        items.delete(id)
      }
      let place = list.firstElementChild
      for (const message of messages) {
        const quoted = byId.get(message.reply_to)
        const known = items.get(message.id) ?? { item: element("li") }
        // Only items that changed: a button that has the focus stays.
        if (known.message !== message || known.quoted !== quoted) render(known.item, message, quoted)
        items.set(message.id, { item: known.item, message, quoted })
        if (known.item === place) place = place.nextElementSibling
        else list.insertBefore(known.item, place)
      }
      if (older) list.scrollTop += list.scrollHeight - height
      else if (wasAtEnd) list.scrollTop = list.scrollHeight
    },
  }
}
