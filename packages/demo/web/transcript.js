/** The transcript beside the video: each cue is a button that seeks, a search filters them, the current one is marked. */

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`

export const createTranscript = (video, byId, token, log) => {
  const panel = byId("transcript")
  const list = byId("transcript-cues")
  const search = byId("transcript-search")
  let mediaId
  let rows = []

  const ask = async (query) => {
    const response = await fetch(`/v1/media/${mediaId}/transcript${query}`, {
      headers: { authorization: `Bearer ${token()}` },
    })
    return response.ok ? response.json() : undefined
  }

  const show = (cues) => {
    rows = cues.map(({ start, end, text }) => {
      const button = document.createElement("button")
      button.type = "button"
      const time = document.createElement("time")
      time.textContent = clock(start)
      button.append(time, ` ${text}`)
      button.addEventListener("click", () => {
        video.currentTime = start
      })
      const item = document.createElement("li")
      item.append(button)
      return { start, end, button, item }
    })
    list.replaceChildren(...rows.map(({ item }) => item))
    byId("transcript-empty").hidden = rows.length > 0
  }

  const load = async () => {
    const q = search.value.trim()
    const of = mediaId
    const loaded = await ask(q === "" ? "" : `?q=${encodeURIComponent(q)}`)
    // The page may show another media or search by now.
    if (loaded === undefined || of !== mediaId || q !== search.value.trim()) return
    const cues = loaded.matches ?? (loaded.cues ?? []).map(({ lines, ...cue }) => ({ ...cue, text: lines.join(" ") }))
    if (loaded.quality !== undefined) {
      byId("transcript-about").textContent = `${loaded.language} · ${loaded.engine} · ${loaded.quality}`
    }
    panel.hidden = loaded.languages.length === 0
    show(cues)
  }
  const loadOrLog = () => load().catch((error) => log("transcript", { hint: error.message }, "bad"))

  video.addEventListener("timeupdate", () => {
    for (const { button, end, start } of rows) {
      const now = video.currentTime >= start && video.currentTime < end
      if (now) button.setAttribute("aria-current", "true")
      else button.removeAttribute("aria-current")
    }
  })
  search.addEventListener("input", loadOrLog)
  // A stream with captions has a transcript.
  video.addEventListener("loadeddata", () => {
    if (mediaId !== undefined && video.textTracks.length > 0) loadOrLog()
  })

  return {
    /** Shows a media; its transcript arrives with its captions. */
    open: (id) => {
      mediaId = id
      search.value = ""
      panel.hidden = true
      show([])
    },
    refresh: loadOrLog,
    close: () => {
      mediaId = undefined
      panel.hidden = true
      show([])
    },
  }
}
