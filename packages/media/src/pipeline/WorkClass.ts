/**
 * Two queues, so that a clip never waits for a film: every upload is looked at in the first, where what is short is made
 * at once; what is long goes to the second, which has slots of its own and leaves the processors to the first. Users may
 * be held to so many jobs at once, over all processes.
 */
import { sha256 } from "@armoricore/domain/DeterministicId"
import { videoCodec } from "../encode/codecs/Codecs.ts"
import type { EncodingPlan } from "../encode/EncodingPlan.ts"

export type WorkClass = "short" | "long"

/** The most work that is still short, in seconds of a 1080p recording at 30 frames a second. */
export const defaultShortWorkLimit = 60

/** Bytes a second of a recording that no camera exceeds by much: what is larger is not even fetched to be looked at. */
const maxBytesPerSecond = 2.5e6

export const isLongBySize = (bytes: number, shortWorkLimit: number): boolean =>
  bytes > shortWorkLimit * maxBytesPerSecond

export const isLong = (plan: EncodingPlan, shortWorkLimit: number): boolean => encodeCost(plan) > shortWorkLimit

/** What encoding costs grows with the pixels that are made. */
export const encodeCost = ({ frameRate, info, renditions }: EncodingPlan): number => {
  const pixels = renditions.reduce(
    (sum, { codec, height, width }) => sum + width * height * videoCodec(codec).costFactor,
    0,
  )
  const share = (pixels * frameRate.num) / frameRate.den / referencePixelRate
  return info.duration * Math.max(share, audioOnlyCost)
}

/** Pixels a second of a 1080p recording's four renditions. */
const referencePixelRate = (1920 * 1080 + 1280 * 720 + 852 * 480 + 640 * 360) * 30
/** Sound alone, against a picture. */
const audioOnlyCost = 0.01

/** Messages of one key are worked on one at a time: as many keys as a user may have jobs. */
export const partitionKey = (workClass: WorkClass, userId: string, eventId: string, maxJobs: number): string =>
  `${workClass}-${userId}-${Number.parseInt(sha256(eventId).slice(0, 8), 16) % maxJobs}`
