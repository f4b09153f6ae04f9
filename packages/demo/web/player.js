/** The video: HLS with hls.js (or native HLS), and the quality menu. */
import { Events, Hls } from "hls.js"

const nameOf = (level) => `${Math.min(level.width, level.height)}p`

export const createPlayer = (video, menu) => {
  let hls
  let playing

  const showLevels = () => {
    const options = hls.levels
      .map((level, index) => ({ index, name: nameOf(level), rate: level.bitrate }))
      .sort((a, b) => b.rate - a.rate)
      .map(({ index, name, rate }) => new Option(`${name} · ${(rate / 1e6).toFixed(1)} Mb/s`, String(index)))
    menu.replaceChildren(new Option("Auto", "-1"), ...options)
  }
  menu.addEventListener("change", () => {
    if (hls) hls.nextLevel = Number(menu.value)
  })

  // Captions are on by default, because the page demonstrates them.
  video.addEventListener("loadeddata", () => {
    const [first] = video.textTracks
    if (first) first.mode = "showing"
  })

  const stop = () => {
    hls?.destroy()
    hls = undefined
    playing = undefined
    video.removeAttribute("src")
    video.load()
    menu.replaceChildren(new Option("Auto", "-1"))
  }

  /** Plays a master playlist. Ignores the playlist that already plays; another playlist continues at the same position. */
  const play = (url, { onFault, force = false } = {}) => {
    if (url === playing && !force) return
    const position = playing === undefined ? 0 : video.currentTime
    hls?.destroy()
    playing = url
    if (!Hls.isSupported()) {
      video.src = url
    } else {
      hls = new Hls({ startPosition: position, capLevelToPlayerSize: false })
      hls.on(Events.MANIFEST_PARSED, showLevels)
      hls.on(Events.LEVELS_UPDATED, showLevels)
      hls.on(Events.ERROR, (_, data) => {
        if (data.fatal) onFault?.(`${data.type}: ${data.details}`)
      })
      hls.loadSource(url)
      hls.attachMedia(video)
    }
    // Browsers may block autoplay; the viewer can use the controls.
    video.play().catch(() => undefined)
  }

  /** Reloads the playlist at the same position, because captions are added after the stream. */
  const reload = () => {
    if (playing !== undefined) setTimeout(() => playing !== undefined && play(playing, { force: true }), 1500)
  }

  return { play, stop, reload, seek: (seconds) => void (video.currentTime = seconds) }
}
