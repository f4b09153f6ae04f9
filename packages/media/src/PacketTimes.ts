/** How long a track is by its packets: lines of `pts,dts,duration` in seconds, in the order of the file. */

/** The end of the packet that ends last; a single packet of unknown length counts a frame. */
export const last = (csv: string): number | undefined => {
  let first = Number.POSITIVE_INFINITY
  let end = Number.NEGATIVE_INFINITY
  for (const { at, length } of packets(csv, "pts")) {
    first = Math.min(first, at)
    end = Math.max(end, at + length)
  }
  return Number.isFinite(end) ? Math.max(end - Math.min(first, 0), frame) : undefined
}

/** Where the clock is set in the middle, as the decoder takes it: the jump itself is no time. */
export const played = (csv: string): number | undefined => {
  let before: number | undefined
  let seconds = 0
  for (const { at, length } of packets(csv, "dts")) {
    const gap = before === undefined ? 0 : at - before
    seconds += gap < 0 || gap > jump ? length : gap
    before = at
  }
  return before === undefined ? undefined : Math.max(seconds, frame)
}

/** Seconds: ffmpeg's own `dts_delta_threshold`. */
const jump = 10
const frame = 0.04

const packets = function* (csv: string, preferred: "pts" | "dts") {
  for (const line of csv.split("\n")) {
    const [pts = "", dts = "", length = ""] = line.split(",")
    const [one, other] = preferred === "pts" ? [pts, dts] : [dts, pts]
    const at = Number.parseFloat(one === "" || one === "N/A" ? other : one)
    if (Number.isFinite(at)) yield { at, length: Number.parseFloat(length) || 0 }
  }
}
