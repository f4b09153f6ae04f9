/** A list of what people said, oldest first, and the form that adds to it. */

const shown = 200

const words = {
  rate_limit: ({ retry_after_ms: wait }) => `One a second, please: again in ${Math.ceil(wait / 100) / 10} s.`,
  invalid_payload: ({ message }) => `This text ${message}.`,
  unauthorized: () => "You may read here, but not write.",
  unavailable: () => "The server cannot keep this just now. Try again in a moment.",
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
    /** What a join asks for: nothing the first time, then what came since. */
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
    /** Something is missing before what follows. */
    gap: () => {
      const item = document.createElement("li")
      item.className = "gap"
      item.textContent = "Older messages are gone"
      append(item)
    },
  }
}

/** Sends what was typed; it stays in the field, with the reason, where it was refused. */
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
        fault.textContent = "No answer yet; it is sent when the connection is back."
      })
  })
}
