/**
 * How long a track is by its packets: lines of `pts,dts,duration` in seconds, in the order of the file. They are taken one
 * by one, for half a day has millions of them.
 */

export interface PacketTimes {
  readonly take: (line: string) => void
  /** Seconds; undefined where there was no packet with a time. */
  readonly length: () => number | undefined
}

/** To the end of the packet that ends last; a single packet of unknown length counts a frame. `start`: of the file. */
export const toTheLast = (start: number): PacketTimes => {
  let first = Number.POSITIVE_INFINITY
  let end = Number.NEGATIVE_INFINITY
  return {
    take: (line) => {
      const packet = packetOf(line, "pts")
      if (packet === undefined) return
      first = Math.min(first, packet.at)
      end = Math.max(end, packet.at + packet.length)
    },
    length: () => (Number.isFinite(end) ? Math.max(end - Math.min(first, Math.max(0, start)), frame) : undefined),
  }
}

/** Where the clock is set in the middle, as the decoder takes it: the jump itself is no time. */
export const played = (): PacketTimes => {
  let before: number | undefined
  let seconds = 0
  return {
    take: (line) => {
      const packet = packetOf(line, "dts")
      if (packet === undefined) return
      const gap = before === undefined ? 0 : packet.at - before
      seconds += gap < 0 || gap > jump ? packet.length : gap
      before = packet.at
    },
    length: () => (before === undefined ? undefined : Math.max(seconds, frame)),
  }
}

/** Seconds: ffmpeg's own `dts_delta_threshold`. */
const jump = 10
const frame = 0.04

const packetOf = (line: string, preferred: "pts" | "dts") => {
  const [pts = "", dts = "", length = ""] = line.split(",")
  const [one, other] = preferred === "pts" ? [pts, dts] : [dts, pts]
  const at = Number.parseFloat(one === "" || one === "N/A" ? other : one)
  return Number.isFinite(at) ? { at, length: Number.parseFloat(length) || 0 } : undefined
}
