/** Scripts for the page of `Player`: each plays a stream to its end at double speed and returns what happened. */

/**
 * Goes before the script of a player. On a busy machine playback is only slow. If playback stalls in the last 1.5 s, dash.js
 * jumps to the end and back by its `seekDurationBackoff` of 0.5 s, and Chromium stays paused there; then the page presses
 * play, as a viewer would.
 */
export const playToEnd = `
const video = document.querySelector("#video")
const faults = []
// The codecs of the video that the player appends: its own interface may state others.
const codecs = new Set()
for (const [target, method] of [[MediaSource.prototype, "addSourceBuffer"], [SourceBuffer.prototype, "changeType"]]) {
  const original = target[method]
  target[method] = function (type) {
    for (const [codec] of type.matchAll(/(avc1|hvc1|av01)[^",;]*/g)) codecs.add(codec)
    return original.call(this, type)
  }
}
video.addEventListener("error", () => faults.push(video.error?.message ?? "media error"))
const playToEnd = (start) => new Promise((resolve) => {
  const ranges = () =>
    Array.from({ length: video.buffered.length }, (_, index) => [video.buffered.start(index), video.buffered.end(index)])
  const done = (ended) => resolve({
    ended, faults, codecs: [...codecs], at: video.currentTime, duration: video.duration,
    paused: video.paused, readyState: video.readyState, buffered: ranges(),
  })
  video.addEventListener("ended", () => done(true))
  let lastAt = -1
  let lastMovedAt = performance.now()
  setInterval(() => {
    if (video.currentTime !== lastAt) [lastAt, lastMovedAt] = [video.currentTime, performance.now()]
    else if (performance.now() - lastMovedAt > 45000) done(false)
    else if (video.paused && video.currentTime > video.duration - 1.5) video.play()
  }, 500)
  start()
  video.playbackRate = 2
  video.play().catch((error) => faults.push(String(error)))
})
`

export const withHls = (url: string, config: object = {}) => `
const hls = new Hls(${JSON.stringify(config)})
hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal || /mediaError|bufferAppend|Parsing|key/i.test(data.details)) faults.push(data.details + " " + (data.error?.message ?? "")) })
return await playToEnd(() => { hls.loadSource("${url}"); hls.attachMedia(video) })
`

/** `setUp` is a statement about `player`, which comes after its initialisation and before the manifest. */
export const withDash = (url: string, setUp = "") => `
const player = dashjs.MediaPlayer().create()
player.on("error", (event) => faults.push(event.error.message))
return await playToEnd(() => { player.initialize(video, undefined, true); ${setUp}; player.attachSource("${url}") })
`

export const withShaka = (url: string, config: object = {}) => `
shaka.polyfill.installAll()
const player = new shaka.Player()
player.configure(${JSON.stringify(config)})
const failed = (error) => faults.push("shaka " + error.code + " " + JSON.stringify(error.data))
player.addEventListener("error", (event) => failed(event.detail))
await player.attach(video).then(() => player.load("${url}")).catch(failed)
return await playToEnd(() => {})
`
