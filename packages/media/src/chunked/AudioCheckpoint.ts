/**
 * How the sound of a film becomes known while it is still being made. It is encoded in one run over the whole length,
 * which takes minutes for a long film; so its beginning, as long as the first window of the picture, is recorded as soon
 * as it is there, and then steps that double. Which segments belong to a step follows from the plan alone: whoever
 * encodes the sound anew comes to the same steps.
 */
import { audioFolder } from "../encode/EncodingPlan.ts"
import type { ChunkedEncode, ChunkOutput } from "./ChunkedEncodes.ts"
import { audioChunk } from "./ChunkedEncodes.ts"
import { firstSegment } from "./ChunkWindow.ts"

export type AudioTracks = ChunkOutput["tracks"]

/** What a step is recorded as and counted by. */
export const checkpointName = (index: number): string => `${audioChunk}-${index}`

/** The steps that are counted, in their order, as far as they follow upon each other. */
export const completedCheckpoints = (completed: ReadonlyArray<string>): ReadonlyArray<string> => {
  const names: Array<string> = []
  while (completed.includes(checkpointName(names.length))) names.push(checkpointName(names.length))
  return names
}

/** Segments by which others may be behind: more than ffmpeg keeps back to interleave them. */
const maxTrackLag = 8

/**
 * The step behind the earlier ones; undefined where it is not there yet. A track that ends long before the others is
 * left out from then on: it is known when all of the sound is.
 */
export const nextCheckpoint = (
  { plan, windows }: Pick<ChunkedEncode, "plan" | "windows">,
  audio: AudioTracks,
  earlier: ReadonlyArray<AudioTracks>,
): AudioTracks | undefined => {
  const [, second] = windows
  if (second === undefined) return undefined
  const first = firstSegment(second)
  const from = first * (2 ** earlier.length - 1)
  const to = first * (2 ** (earlier.length + 1) - 1)
  const longest = Math.max(0, ...audio.map(({ segments }) => segments.length))
  const wanted = plan.info.audioTracks
    .map((_, track) => audioFolder(track))
    .filter((name) => earlier.every((step) => step.some(({ folder }) => folder === name)))
  const there = audio.filter(({ folder, segments }) => wanted.includes(folder) && segments.length >= to)
  const isThere = there.length === wanted.length || longest >= to + maxTrackLag
  return there.length === 0 || !isThere
    ? undefined
    : there.map((one) => ({ ...one, segments: one.segments.slice(from, to) }))
}
