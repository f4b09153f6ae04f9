/** The seek bar below the video. It shows a preview image at the pointer, from the stream's storyboard. */

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`

const secondsOf = (text) => text.split(":").reduce((total, part) => total * 60 + Number(part), 0)

/** Parses the cues of a WebVTT file whose texts are `sprite.jpg#xywh=x,y,width,height`, relative to it. */
const read = (text, base) =>
  [...text.matchAll(/^(\S+) --> (\S+).*\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$/gm)].map(([, from, to, file, ...box]) => {
    const [x, y, width, height] = box.map(Number)
    return { from: secondsOf(from), to: secondsOf(to), url: new URL(file, base).href, x, y, width, height }
  })

export const createStoryboard = (video, byId, log) => {
  const bar = byId("seek")
  const range = byId("seek-range")
  const preview = byId("seek-preview")
  const picture = byId("seek-picture")
  let cues = []
  let shown

  const hide = () => {
    preview.hidden = true
  }

  const look = ({ clientX }) => {
    const { left, width } = range.getBoundingClientRect()
    // The centre of the thumb moves between half its width from either end.
    const thumb = 14
    const part = Math.min(1, Math.max(0, (clientX - left - thumb / 2) / (width - thumb)))
    const at = part * Number(range.max)
    const cue = cues.find(({ to }) => at < to) ?? cues.at(-1)
    if (cue === undefined) return
    Object.assign(picture.style, {
      width: `${cue.width}px`,
      height: `${cue.height}px`,
      background: `url("${cue.url}") -${cue.x}px -${cue.y}px`,
    })
    byId("seek-time").textContent = clock(at)
    preview.hidden = false
    const half = preview.offsetWidth / 2
    preview.style.left = `${Math.min(width - half, Math.max(half, clientX - left))}px`
  }

  range.addEventListener("pointermove", look)
  range.addEventListener("pointerleave", hide)
  range.addEventListener("input", () => {
    video.currentTime = Number(range.value)
  })
  video.addEventListener("timeupdate", () => {
    range.value = String(video.currentTime)
    range.setAttribute("aria-valuetext", clock(video.currentTime))
  })

  const load = async (url) => {
    const response = await fetch(url)
    if (!response.ok) throw new Error(`the storyboard answered ${response.status}`)
    const loaded = read(await response.text(), response.url)
    // The page may show another media by now.
    if (url === shown) cues = loaded
  }

  return {
    /** Takes the payload of `media.ready`. An audio-only stream has a bar without previews. */
    open: ({ duration, storyboard_url: url }) => {
      range.max = String(duration)
      bar.hidden = false
      if (url === shown) return
      shown = url
      cues = []
      if (url) load(url).catch((error) => log("storyboard", { hint: error.message }, "bad"))
    },
    close: () => {
      shown = undefined
      cues = []
      bar.hidden = true
      hide()
    },
  }
}
