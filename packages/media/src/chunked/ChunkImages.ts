/**
 * Thumbnails, poster and pictures for seeking, by the chunk that shows them: each chunk takes the frames that one run
 * over the whole film would have taken there. Those for seeking are kept as they are until all are together on sprites.
 */
import type { EncodingPlan } from "../encode/EncodingPlan.ts"
import { frameAt, maxFrames, frameTime, type ChunkWindow } from "./ChunkWindow.ts"

/** A picture, and the frame of the window that it shows. */
interface ImageFrame {
  readonly name: string
  readonly frame: number
}

export interface ImageFrames {
  /** Frames to be taken in this order; the first of a window is always among them, or ffmpeg might have nothing to write. */
  readonly thumbnails: ReadonlyArray<ImageFrame>
  readonly poster: ReadonlyArray<ImageFrame>
  readonly tiles: ReadonlyArray<ImageFrame>
}

/** Stands for the first frame of a window where nobody wants it. */
const placeholderName = ""

/** Where chunks put pictures for seeking, one a file, in a format without loss. */
export const tileFolder = "tiles"
export const tileName = (index: number): string => `${tileFolder}/${String(index).padStart(5, "0")}.pgmyuv`

export const imageFrames = (plan: EncodingPlan, window: ChunkWindow): ImageFrames => {
  const { frameRate, info, storyboard, thumbnails } = plan
  const inside = (frame: number) =>
    frame >= window.firstFrame && (window.frames === undefined || frame < window.firstFrame + window.frames)
  const picks = (wanted: ReadonlyArray<ImageFrame>): ReadonlyArray<ImageFrame> => {
    const mine = wanted
      .filter(({ frame }) => inside(frame))
      .map(({ name, frame }) => ({ name, frame: frame - window.firstFrame }))
    if (mine.length === 0) return []
    return mine[0]?.frame === 0 ? mine : [{ name: placeholderName, frame: 0 }, ...mine]
  }
  const step = info.mainDuration / Math.max(1, thumbnails)
  const middles = Array.from({ length: thumbnails }, (_, index) => ({
    name: `thumbnails/${String(index + 1).padStart(2, "0")}.jpg`,
    frame: frameAt((index + 0.5) * step, frameRate),
  }))
  const posters = thumbnails === 0 ? [] : [{ name: "poster.jpg", frame: frameAt(info.mainDuration / 10, frameRate) }]
  const tiles: Array<ImageFrame> = []
  if (storyboard !== undefined) {
    const from = Math.floor(frameTime(window.firstFrame, frameRate) / storyboard.interval)
    const frames = maxFrames(window, info, frameRate)
    for (let index = from; ; index++) {
      const frame = frameAt(index * storyboard.interval, frameRate)
      if (frame >= window.firstFrame + frames) break
      tiles.push({ name: tileName(index), frame })
    }
  }
  return { thumbnails: picks(middles), poster: picks(posters), tiles: picks(tiles) }
}

/** For ffmpeg's `select`. */
export const selectExpression = (picks: ReadonlyArray<ImageFrame>): string =>
  picks.map(({ frame }) => `eq(n\\,${frame})`).join("+")

/** Which of the files that ffmpeg numbered from 0 is which picture. */
export const outputFiles = (
  picks: ReadonlyArray<ImageFrame>,
): ReadonlyArray<{ readonly file: number; readonly name: string }> =>
  picks.flatMap(({ name }, file) => (name === placeholderName ? [] : [{ file, name }]))
