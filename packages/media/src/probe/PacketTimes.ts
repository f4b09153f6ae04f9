/**
 * How long a track is by its packets: lines of `pts,dts,duration` in seconds, in the order of the file. They are taken one
 * by one, for half a day has millions of them.
 */

export interface PacketTimes {
  readonly add: (line: string) => void
  /** Seconds; undefined where there was no packet with a time. */
  readonly seconds: () => number | undefined
}

/** To the end of the packet that ends last; a single packet of unknown length counts a frame. `start`: of the file. */
export const lastPacketEnd = (start: number): PacketTimes => {
  let first = Number.POSITIVE_INFINITY
  let end = Number.NEGATIVE_INFINITY
  return {
    add: (line) => {
      const packet = parsePacket(line, "pts")
      if (packet === undefined) return
      first = Math.min(first, packet.at)
      end = Math.max(end, packet.at + packet.length)
    },
    seconds: () =>
      Number.isFinite(end) ? Math.max(end - Math.min(first, Math.max(0, start)), defaultFrameSeconds) : undefined,
  }
}

/** Where the clock is set in the middle, as the decoder takes it: the jump itself is no time. */
export const decodedDuration = (): PacketTimes => {
  let before: number | undefined
  let seconds = 0
  return {
    add: (line) => {
      const packet = parsePacket(line, "dts")
      if (packet === undefined) return
      const gap = before === undefined ? 0 : packet.at - before
      seconds += gap < 0 || gap > maxTimestampGap ? packet.length : gap
      before = packet.at
    },
    seconds: () => (before === undefined ? undefined : Math.max(seconds, defaultFrameSeconds)),
  }
}

/** Seconds: ffmpeg's own `dts_delta_threshold`. */
const maxTimestampGap = 10
const defaultFrameSeconds = 0.04

const parsePacket = (line: string, preferred: "pts" | "dts") => {
  const [pts = "", dts = "", length = ""] = line.split(",")
  const [one, other] = preferred === "pts" ? [pts, dts] : [dts, pts]
  const at = Number.parseFloat(one === "" || one === "N/A" ? other : one)
  return Number.isFinite(at) ? { at, length: Number.parseFloat(length) || 0 } : undefined
}
