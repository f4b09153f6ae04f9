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

  const append = (item) => {
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60
    list.append(item)
    while (list.children.length > shown) list.firstElementChild.remove()
    if (isAtEnd) list.scrollTop = list.scrollHeight
  }

  return {
    /** Join parameters: empty at first, later the last seen `seq`. */
    since: () => (last === 0 ? {} : { since: last }),
    add: ({ id, seq, user_id: author, content, timestamp }) => {
      last = Math.max(last, seq)
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
      seen.set(id, item)
      append(item)
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
