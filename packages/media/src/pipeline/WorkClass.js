/**
 * Decides whether an upload is short or long. Two queues prevent head-of-line blocking: the first one encodes short
 * uploads at once, and hands long uploads to the second one, which has its own slots and a lower CPU priority.
 */
import { sha256 } from "@armoricore/domain/DeterministicId";
import { encodeId } from "@armoricore/domain/EncodedId";
import { videoCodec } from "../encode/codecs/Codecs.ts";
/** The largest encode cost of a short upload, in seconds of a 1080p video at 30 frames a second. */
export const defaultShortWorkLimit = 60;
/** Hardly any camera writes more bytes per second: a larger file is long, independent of its content. */
const maxBytesPerSecond = 2.5e6;
export const classify = (evidence, shortWorkLimit) => {
    const isLong = "plan" in evidence
        ? encodeCost(evidence.plan) > shortWorkLimit
        : evidence.bytes > shortWorkLimit * maxBytesPerSecond;
    return isLong ? "long" : "short";
};
/** Grows with the number of encoded pixels, weighted by codec. */
export const encodeCost = ({ frameRate, info, renditions }) => {
    const pixels = renditions.reduce((sum, { codec, height, width }) => sum + width * height * videoCodec(codec).costFactor, 0);
    const relativePixelRate = (pixels * frameRate.num) / frameRate.den / referencePixelRate;
    return info.duration * Math.max(relativePixelRate, audioOnlyCost);
};
/** Pixels per second of the four renditions of a 1080p video. */
const referencePixelRate = (1920 * 1080 + 1280 * 720 + 852 * 480 + 640 * 360) * 30;
/** The cost of audio without video, per second. */
const audioOnlyCost = 0.01;
/** Messages with the same key are handled one at a time, so `maxJobs` keys per user allow `maxJobs` concurrent jobs. */
export const partitionKey = (workClass, userId, eventId, maxJobs) => `${workClass}-${encodeId(userId)}-${Number.parseInt(sha256(eventId).slice(0, 8), 16) % maxJobs}`;
