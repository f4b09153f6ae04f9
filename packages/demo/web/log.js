/** The event log: newest first, each entry with an expandable payload. */

const maxRows = 200

/** Frequent events: a run of them is one row with a counter. */
const collapsed = new Set(["media_progress"])
const tones = { media_ready: "good", media_playable: "good", media_failed: "bad" }

const hintOf = (payload) => {
  if (payload?.hint) return payload.hint
  if (payload?.stage) return `${payload.stage} · ${Math.round(payload.percent)} %`
  if (payload?.resolutions) return payload.resolutions.join(", ")
  if (payload?.error) return payload.error.message
  return payload?.media_id ?? ""
}

export const createLog = (list, count, empty) => {
  let total = 0
  /** `tone` is "sent" for actions of the page itself. */
  return (name, payload, tone = tones[name] ?? "") => {
    total += 1
    count.textContent = String(total)
    empty.hidden = true
    const latest = list.firstElementChild
    if (collapsed.has(name) && latest?.dataset.name === name) {
      const times = Number(latest.dataset.times) + 1
      latest.dataset.times = String(times)
      latest.querySelector(".times").textContent = `×${times}`
      latest.querySelector(".hint").textContent = hintOf(payload)
      latest.querySelector("pre").textContent = JSON.stringify(payload, null, 2)
      return
    }
    const now = new Date()
    const time = document.createElement("time")
    time.dateTime = now.toISOString()
    time.textContent = now.toLocaleTimeString("en-GB")
    const label = document.createElement("span")
    const title = document.createElement("b")
    title.textContent = name
    const hint = document.createElement("span")
    hint.className = "hint"
    hint.textContent = hintOf(payload)
    label.append(title, hint)
    const times = document.createElement("span")
    times.className = "times"
    const summary = document.createElement("summary")
    summary.append(time, label, times)
    const body = document.createElement("pre")
    body.textContent = JSON.stringify(payload, null, 2)
    const details = document.createElement("details")
    details.append(summary, body)
    const item = document.createElement("li")
    Object.assign(item.dataset, { name, tone, times: "1" })
    item.append(details)
    list.prepend(item)
    while (list.children.length > maxRows) list.lastChild.remove()
  }
}
