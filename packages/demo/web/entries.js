/** A list of messages, oldest first, and the form that adds one. */

const shown = 200

const words = {
  rate_limit: ({ retry_after_ms: wait }) => `One a second, please: again in ${Math.ceil(wait / 100) / 10} s.`,
  invalid_payload: ({ message }) => `This text ${message}.`,
  unauthorized: () => "You may read here, but not write.",
  unavailable: () => "The server cannot store this at the moment. Try again.",
}

export const createEntries = (list, userId) => {
  const seen = new Map()
  let last = 0
  // Entries before the latest ones are still missing.
  let isBehind = false

  const append = (item, seq) => {
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60
    // While pages are missing, newer entries are in the list already.
    let next = null
    while (true) {
      const before = next === null ? list.lastElementChild : next.previousElementSibling
      if (before === null || seq === undefined || Number(before.dataset.seq ?? 0) <= seq) break
      next = before
    }
    list.insertBefore(item, next)
    while (list.children.length > shown) list.firstElementChild.remove()
    if (isAtEnd) list.scrollTop = list.scrollHeight
  }

  const entries = {
    /** Join parameters: empty at first, later the `seq` up to which everything arrived. */
    since: () => (last === 0 ? {} : { since: last }),
    /** Adds the reply to a join, and requests what it had no room for. */
    addReplay: (channel, items, { recovered, more }) => {
      const isRejoin = last > 0
      if (!recovered) {
        entries.gap()
        last = 0
      }
      entries.addPage(channel, items, isRejoin && more)
    },
    addPage: (channel, items, more) => {
      isBehind = false
      for (const item of items) entries.add(item)
      isBehind = more
      if (!more) return
      const next = ({ messages, more: isMore }) => entries.addPage(channel, messages, isMore)
      channel.push("history", { after: last }).receive("ok", next)
    },
    add: ({ id, seq, user_id: author, content, timestamp }) => {
      if (!isBehind) last = Math.max(last, seq)
      if (seen.has(id)) return
      const item = document.createElement("li")
      item.classList.toggle("mine", author === userId)
      const name = document.createElement("b")
      name.textContent = author
      const time = document.createElement("time")
      time.dateTime = timestamp
      time.textContent = new Date(timestamp).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })
      const text = document.createElement("p")
      text.textContent = content
      item.append(name, time, text)
      item.dataset.seq = String(seq)
      seen.set(id, item)
      append(item, seq)
    },
    remove: (id) => {
      seen.get(id)?.remove()
      seen.delete(id)
    },
    /** Marks a gap in the history. */
    gap: () => {
      const item = document.createElement("li")
      item.className = "gap"
      item.textContent = "Older messages are gone"
      append(item)
    },
  }
  return entries
}

/** Sends the text of the form. A rejected text stays in the field, with the reason. */
export const onSubmit = (form, field, fault, send) => {
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    const content = field.value.trim()
    if (content === "") return
    send(content)
      .receive("ok", () => {
        fault.textContent = ""
        if (field.value.trim() === content) field.value = ""
      })
      .receive("error", (refusal) => {
        fault.textContent = words[refusal.reason]?.(refusal) ?? `Refused: ${refusal.reason}`
      })
      .receive("timeout", () => {
        fault.textContent = "No reply yet; it will be sent after the reconnect."
      })
  })
}
