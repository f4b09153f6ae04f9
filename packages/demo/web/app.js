/** The demo page: upload, progress, video. Each panel has its own module; this module connects them. */
import { channel } from "@armoricore/client"
import { createBell } from "./bell.js"
import { createChat } from "./chat.js"
import { createComments } from "./comments.js"
import { createLog } from "./log.js"
import { createNotices } from "./notices.js"
import { createPlayer } from "./player.js"
import { openSession } from "./session.js"
import { createStoryboard } from "./storyboard.js"
import { createTranscript } from "./transcript.js"
import { findUnfinished, upload } from "./upload.js"

const byId = (id) => document.getElementById(id)
const stage = byId("stage")
const log = createLog(byId("log"), byId("log-count"), byId("log-empty"))
const player = createPlayer(byId("video"), byId("quality"))
const storyboard = createStoryboard(byId("video"), byId, log)

const order = ["uploading", "queued", "downloading", "probing", "transcoding", "publishing", "ready"]
const words = {
  uploading: "Uploading to object storage",
  queued: "Waiting for a worker",
  downloading: "Fetching the file",
  probing: "Probing the file",
  transcoding: "Transcoding all renditions",
  publishing: "Publishing playlists",
  ready: "Ready",
}

const showStep = (step) => {
  const at = order.indexOf(step)
  for (const item of byId("steps").children) {
    const index = order.indexOf(item.dataset.step)
    item.classList.toggle("done", index < at || step === "ready")
    item.classList.toggle("now", index === at && step !== "ready")
    if (index === at) item.setAttribute("aria-current", "step")
    else item.removeAttribute("aria-current")
  }
  byId("big-stage").textContent = words[step] ?? ""
}

const showBar = (name, percent) => {
  const whole = Math.round(percent)
  byId(`${name}-bar`).value = whole
  byId(`${name}-percent`).textContent = `${whole} %`
  byId("big-percent").textContent = String(whole)
}

const show = (state) => {
  stage.dataset.state = state
  byId("failure").hidden = state !== "failed"
}

const fail = (sentence) => {
  byId("failure-text").textContent = sentence
  show("failed")
}

const reset = () => {
  player.stop()
  transcript?.close()
  storyboard.close()
  byId("result").hidden = true
  byId("file").value = ""
  byId("file-name").textContent = "No file yet"
  for (const bar of ["upload", "process"]) showBar(bar, 0)
  for (const item of byId("steps").children) item.classList.remove("done", "now")
  show("idle")
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, "0")}`

const fact = (name, value) => {
  const row = document.createElement("div")
  const term = document.createElement("dt")
  term.textContent = name
  const text = document.createElement("dd")
  text.textContent = value
  row.append(term, text)
  return row
}

const showThumbnails = ({ thumbnail_urls: urls, duration }) => {
  byId("thumbnails").replaceChildren(
    ...urls.map((url, index) => {
      const at = (duration * index) / urls.length
      const picture = new Image()
      picture.src = url
      picture.alt = ""
      picture.loading = "lazy"
      const button = document.createElement("button")
      button.type = "button"
      button.className = "thumbnail"
      button.setAttribute("aria-label", `Jump to ${clock(at)}`)
      button.addEventListener("click", () => player.seek(at))
      button.append(picture)
      return button
    }),
  )
}

let transcript

const showPlayable = ({ playback_urls: urls }) => {
  show("playing")
  player.play(urls.hls, { onFault: (fault) => log("player_fault", { hint: fault }, "bad") })
}

const showReady = (payload) => {
  showBar("upload", 100)
  showBar("process", 100)
  showStep("ready")
  showPlayable(payload)
  byId("facts").replaceChildren(
    fact("Duration", clock(payload.duration)),
    ...(payload.width ? [fact("Size", `${payload.width} × ${payload.height}`)] : []),
    fact("Renditions", payload.resolutions.length > 0 ? payload.resolutions.join(" · ") : "audio"),
    fact("Thumbnails", String(payload.thumbnail_urls.length)),
  )
  showThumbnails(payload)
  storyboard.open(payload)
  byId("playlist").href = payload.playback_urls.hls
  byId("result").hidden = false
}

const showProgress = ({ stage: step, percent }) => {
  showBar("upload", 100)
  showBar("process", percent)
  showStep(step)
  if (stage.dataset.state !== "playing") show("working")
}

const handlers = {
  media_progress: showProgress,
  media_playable: showPlayable,
  media_ready: showReady,
  media_failed: ({ error }) => fail(error.message),
  transcription_complete: () => {
    transcript?.refresh()
    player.reload()
  },
  transcription_failed: () => undefined,
}

/** Joins `media:{id}`; resolves with the current state of the media. */
const createWatcher = (socket) => {
  let media
  return async (mediaId) => {
    // Its topic has ended already if the media was deleted.
    media?.leave().catch(() => undefined)
    const watched = channel(socket, `media:${mediaId}`, {})
    media = watched
    byId("media").textContent = mediaId
    transcript?.open(mediaId)
    for (const [event, handle] of Object.entries(handlers)) {
      watched.on(event, (payload) => {
        log(event, payload)
        handle(payload)
      })
    }
    // After a reconnect the reply has the state that the page missed.
    watched.onJoin((state) => {
      log(
        `joined media:${mediaId.slice(0, 8)}…`,
        { hint: state.status === "unknown" ? "no state yet" : state.status, ...state },
        "sent",
      )
      if (state.status === "ready") showReady(state.ready ?? state)
      else if (state.status === "failed") fail((state.failed ?? state).error.message)
      else if (state.status === "processing") showProgress(state)
    })
    await watched.join().catch(({ reason }) => {
      throw new Error(`join rejected: ${reason}`)
    })
  }
}

const connectionWords = { connecting: "Connecting", open: "Live", closed: "Reconnecting" }
const showConnection = (state) => {
  byId("connection").dataset.state = state
  byId("connection-text").textContent = connectionWords[state]
}

const start = async () => {
  const session = await openSession(showConnection)
  byId("user").textContent = session.userId
  const watch = createWatcher(session.socket)
  createChat(session.socket, session, byId, log)
  createComments(session.socket, session.userId, byId, log)
  createBell(session.socket, session, byId, log)
  createNotices(session.socket, session, byId, log)
  transcript = createTranscript(byId("video"), byId, session.token, log)

  const send = async (file) => {
    reset()
    byId("file-name").textContent = `${file.name} · ${(file.size / 1e6).toFixed(1)} MB`
    show("working")
    showStep("uploading")
    try {
      const published = await upload(file, session, {
        onGrant: (grant, offset) => {
          if (offset === 0) log("POST /v1/uploads/tus", { hint: "upload created", ...grant }, "sent")
          else log("HEAD /v1/uploads/tus", { hint: `continues at byte ${offset}`, ...grant }, "sent")
          return watch(grant.media_id)
        },
        onProgress: (percent) => showBar("upload", percent),
      })
      log("media.uploaded", { hint: "published on the bus", ...published }, "sent")
      if (byId("process-bar").value === 0) showStep("queued")
    } catch (error) {
      fail(error.message)
    }
  }

  byId("file").addEventListener("change", (event) => {
    const [file] = event.target.files
    if (file) send(file)
  })
  byId("sample").addEventListener("click", async () => {
    const response = await fetch("/demo/sample.mp4")
    if (!response.ok) return fail("the sample is missing; choose a file instead")
    // The time identifies a file whose upload continues, beside name and size.
    return send(new File([await response.blob()], "sample.mp4", { type: "video/mp4", lastModified: 0 }))
  })
  byId("another").addEventListener("click", () => {
    reset()
    stage.scrollIntoView({ block: "center" })
    byId("file").focus({ preventScroll: true })
  })
  byId("again").addEventListener("click", reset)

  const drop = byId("drop")
  for (const event of ["dragenter", "dragover"]) {
    stage.addEventListener(event, (dragged) => {
      dragged.preventDefault()
      drop.classList.add("over")
    })
  }
  for (const event of ["dragleave", "drop"]) stage.addEventListener(event, () => drop.classList.remove("over"))
  stage.addEventListener("drop", (event) => {
    event.preventDefault()
    const [file] = event.dataTransfer.files
    if (file) send(file)
  })

  const unfinished = await findUnfinished(session)
  if (unfinished) {
    byId("file-name").textContent =
      `The upload of ${unfinished.name} stopped at ${Math.floor(unfinished.percent)} %. Choose the file again to continue.`
    showBar("upload", unfinished.percent)
  } else if (session.latestMedia) {
    byId("file-name").textContent = "The sample that the demo command uploaded"
    await watch(session.latestMedia)
  }
}

start().catch((error) => {
  showConnection("closed")
  fail(error.message)
})
