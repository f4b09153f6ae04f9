/**
 * Measures the duration of a track by its packets. The input is ffprobe's lines of `pts,dts,duration` in seconds, in file
 * order. They are processed one at a time, because twelve hours have millions of packets.
 */

export interface PacketTimes {
  readonly add: (line: string) => void
  /** Seconds; undefined if no packet had a timestamp. */
  readonly seconds: () => number | undefined
}

/**
 * Measures to the end of the packet that ends last, from the start time of the file. A single packet of unknown duration
 * counts as one frame.
 */
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

/** Sums the time between packets without the jumps of a clock that was reset during the recording, like the decoder. */
export const decodedDuration = (): PacketTimes => {
  let previous: number | undefined
  let seconds = 0
  return {
    add: (line) => {
      const packet = parsePacket(line, "dts")
      if (packet === undefined) return
      const gap = previous === undefined ? 0 : packet.at - previous
      seconds += gap < 0 || gap > maxTimestampGap ? packet.length : gap
      previous = packet.at
    },
    seconds: () => (previous === undefined ? undefined : Math.max(seconds, defaultFrameSeconds)),
  }
}

/** Seconds; the default of ffmpeg's `dts_delta_threshold`. */
const maxTimestampGap = 10
const defaultFrameSeconds = 0.04

const parsePacket = (line: string, preferred: "pts" | "dts") => {
  const [pts = "", dts = "", length = ""] = line.split(",")
  const [time, fallback] = preferred === "pts" ? [pts, dts] : [dts, pts]
  const at = Number.parseFloat(time === "" || time === "N/A" ? fallback : time)
  return Number.isFinite(at) ? { at, length: Number.parseFloat(length) || 0 } : undefined
}
