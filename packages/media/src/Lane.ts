/**
 * Two queues, so that a clip never waits for a film: every upload is looked at in the first, where what is short is made
 * at once; what is long goes to the second, which has slots of its own and leaves the processors to the first. Users may
 * be held to so many jobs at once, over all processes.
 */
import { sha256 } from "@armoricore/domain/Causation"
import type { Plan } from "./FfmpegCommand.ts"

export type Lane = "short" | "long"

/** The most work that is still short, in seconds of a 1080p recording at 30 frames a second. */
export const defaultShortWork = 60

/** Bytes a second of a recording that no camera exceeds by much: what is larger is not even fetched to be looked at. */
const bytesASecond = 2.5e6

export const isLongBySize = (bytes: number, shortWork: number): boolean => bytes > shortWork * bytesASecond

export const isLong = (plan: Plan, shortWork: number): boolean => workOf(plan) > shortWork

/** What encoding costs grows with the pixels that are made. */
export const workOf = ({ frameRate, info, renditions }: Plan): number => {
  const pixels = renditions.reduce((sum, { height, width }) => sum + width * height, 0)
  const share = (pixels * frameRate.num) / frameRate.den / usual
  return info.duration * Math.max(share, soundShare)
}

/** Pixels a second of a 1080p recording's four renditions. */
const usual = (1920 * 1080 + 1280 * 720 + 852 * 480 + 640 * 360) * 30
/** Sound alone, against a picture. */
const soundShare = 0.01

/** Messages of one key are worked on one at a time: as many keys as a user may have jobs. */
export const keyOf = (lane: Lane, userId: string, eventId: string, jobs: number): string =>
  `${lane}-${userId}-${Number.parseInt(sha256(eventId).slice(0, 8), 16) % jobs}`
