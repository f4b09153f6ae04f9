/** A list of comments, oldest first, and the form that adds one. */

const shown = 200

const words = {
  rate_limit: ({ retry_after_ms: wait }) => `One a second, please: again in ${Math.ceil(wait / 100) / 10} s.`,
  invalid_payload: ({ message }) => `This text ${message}.`,
  unauthorized: ({ message }) => message ?? "You may read here, but not write.",
  unavailable: () => "The server cannot store this at the moment. Try again.",
  not_found: () => "This message is gone.",
  edit_expired: () => "This message is too old to be edited.",
  too_many_reactions: () => "This message has all the reactions that it can have.",
  timeout: () => "No reply yet; it will be sent after the reconnect.",
}

/** An error of the client as a sentence. */
export const explain = (error) => words[error.reason]?.(error) ?? `Refused: ${error.reason ?? error.message}`

export const createEntries = (list, userId) => {
  /** By id, each with its list item. */
  const seen = new Map()

  const append = (item, seq) => {
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60
    // While the client catches up, newer entries are in the list already.
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

  return {
    add: ({ id, seq, user_id: author, content, timestamp }) => {
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
    change: ({ id, content }) => {
      const text = seen.get(id)?.querySelector("p")
      if (text) text.textContent = content
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
}

/** Sends the text of the form with `send`, which returns a promise. A rejected text stays in the field, with the reason. */
export const onSubmit = (form, field, fault, send) => {
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    const content = field.value.trim()
    if (content === "") return
    try {
      await send(content)
      fault.textContent = ""
      if (field.value.trim() === content) field.value = ""
    } catch (error) {
      fault.textContent = explain(error)
    }
  })
}
