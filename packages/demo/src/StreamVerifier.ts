/**
 * Looks whether a stream is really there: the master playlist, every media playlist it names, their first and last
 * segment, and the thumbnails, all fetched over HTTP.
 */
import { Effect } from "effect"
import { CommandFailed } from "@armoricore/armoricore/app/CommandErrors"
import type { MediaReadyPayload } from "./MediaWatcher.ts"

export interface VerifiedStream {
  readonly renditions: number
  readonly segments: number
  readonly thumbnails: number
}

const fail = (message: string) => Effect.fail(new CommandFailed({ message }))

const fetchBytes = Effect.fnUntraced(function* (url: string) {
  const response = yield* Effect.tryPromise({
    try: (signal) => fetch(url, { signal }),
    catch: (cause) => new CommandFailed({ message: `${url} could not be fetched: ${String(cause)}` }),
  })
  const body = new Uint8Array(yield* Effect.promise(() => response.arrayBuffer()))
  if (!response.ok) return yield* fail(`${url} answered ${response.status}`)
  if (body.byteLength === 0) return yield* fail(`${url} is empty`)
  return body
})

const fetchPlaylist = Effect.fnUntraced(function* (url: string) {
  const text = new TextDecoder().decode(yield* fetchBytes(url))
  const lines = text.split(/\r?\n/).filter((line) => line !== "")
  if (lines[0] !== "#EXTM3U") return yield* fail(`${url} is no playlist`)
  return lines
})

const attribute = (line: string, name: string): string | undefined =>
  new RegExp(`[:,]${name}=(?:"([^"]*)"|([^,]*))`)
    .exec(line)
    ?.slice(1)
    .find((value) => value !== undefined)

const verifyMediaPlaylist = Effect.fnUntraced(function* (url: string) {
  const lines = yield* fetchPlaylist(url)
  if (!lines.includes("#EXT-X-ENDLIST")) return yield* fail(`${url} does not end`)
  const segments = lines.filter((line) => !line.startsWith("#"))
  const durations = lines.filter((line) => line.startsWith("#EXTINF:")).map((line) => Number.parseFloat(line.slice(8)))
  const seconds = durations.reduce((sum, duration) => sum + duration, 0)
  if (segments.length === 0 || durations.length !== segments.length || !(seconds > 0)) {
    return yield* fail(`${url} names no segments with durations`)
  }
  const init = lines.find((line) => line.startsWith("#EXT-X-MAP:"))
  const parts = [init === undefined ? undefined : attribute(init, "URI"), segments[0], segments.at(-1)]
  yield* Effect.forEach(
    parts.filter((part) => part !== undefined),
    (part) => fetchBytes(new URL(part, url).href),
  )
  return { segments: segments.length, seconds }
})

const isImage = (bytes: Uint8Array): boolean =>
  (bytes[0] === 0xff && bytes[1] === 0xd8) ||
  (bytes[0] === 0x89 && bytes[1] === 0x50) ||
  (bytes[0] === 0x52 && bytes[8] === 0x57)

export const verifyStream = Effect.fn("Verify.verify")(function* (
  ready: MediaReadyPayload,
): Effect.fn.Return<VerifiedStream, CommandFailed> {
  const master = ready.playback_urls.hls
  const lines = yield* fetchPlaylist(master)
  const rungs = lines.filter(
    (line, index) => lines[index - 1]?.startsWith("#EXT-X-STREAM-INF:") === true && !line.startsWith("#"),
  )
  const audio = lines.filter((line) => line.startsWith("#EXT-X-MEDIA:")).flatMap((line) => attribute(line, "URI") ?? [])
  if (rungs.length === 0) return yield* fail(`${master} names no rungs`)
  // The sound is offered by itself too; it has no resolution.
  const videoStreams = lines.filter((line) => line.startsWith("#EXT-X-STREAM-INF:") && line.includes("RESOLUTION="))
  if (videoStreams.length !== ready.resolutions.length) {
    return yield* fail(`${master} names ${videoStreams.length} pictures, media.ready ${ready.resolutions.length}`)
  }
  const found = yield* Effect.forEach([...new Set([...rungs, ...audio])], (uri) =>
    verifyMediaPlaylist(new URL(uri, master).href),
  )
  const off = found.find(({ seconds }) => Math.abs(seconds - ready.duration) > 1)
  if (off !== undefined) {
    return yield* fail(`a playlist lasts ${off.seconds.toFixed(1)} s, media.ready says ${ready.duration} s`)
  }
  for (const url of ready.thumbnail_urls) {
    if (!isImage(yield* fetchBytes(url))) return yield* fail(`${url} is no picture`)
  }
  if (ready.resolutions.length > 0 && ready.thumbnail_urls.length === 0) return yield* fail("there are no thumbnails")
  return {
    renditions: Math.max(1, videoStreams.length),
    segments: found.reduce((sum, { segments }) => sum + segments, 0),
    thumbnails: ready.thumbnail_urls.length,
  }
})
