/**
 * Checks the packets of a track for passthrough. Reads ffmpeg's `framecrc` listing line by line, so that a video of many
 * hours needs no more memory than one bit per frame.
 */
import { keyFrameSeconds, segmentSeconds } from "../encode/EncodingPlan.ts";
import { peakRate, averageRate } from "../packaging/MediaPlaylist.ts";
/** Parses the listing of one stream, one line per call. Returns undefined for lines that are not packets. */
export const packetParser = () => {
    let tick = Number.NaN;
    return (line) => {
        const base = /^#tb 0: ([0-9]+)\/([0-9]+)$/.exec(line);
        if (base !== null)
            tick = Number(base[1]) / Number(base[2]);
        if (line === "" || line.startsWith("#"))
            return undefined;
        const [, , pts = "", duration = "", bytes = "", checksum = "", ...more] = line
            .split(",")
            .map((field) => field.trim());
        // ffmpeg does not print the flags if only the key frame flag is set.
        const flags = Number(more.find((field) => field.startsWith("F="))?.slice(2) ?? 1);
        const hasSideData = more.some((field) => field.startsWith("S="));
        return {
            time: Number(pts) * tick,
            duration: Number(duration) * tick,
            bytes: Number(bytes),
            checksum,
            isKey: (flags & 1) !== 0,
            isIrregular: (flags & 0b110) !== 0 || hasSideData || !Number.isFinite(Number(pts)),
        };
    };
};
/** Seconds by which a timestamp may differ from the frame grid. */
const maxJitter = 0.001;
/** Longer segments would exceed the target duration of the playlist. */
const maxSegmentSeconds = segmentSeconds + 0.49;
/** Analyses the packets of a video track, in file order. */
export class VideoPacketAnalyzer {
    #rate;
    #keys = [];
    #segments = [];
    #seen = new Uint8Array(1 << 12);
    #count = 0;
    #last = -1;
    #rejectReason;
    constructor(frameRate) {
        this.#rate = frameRate.num / frameRate.den;
    }
    add(packet) {
        const frame = Math.round(packet.time * this.#rate);
        if (packet.isIrregular)
            this.#rejectReason ??= "edit list or damage";
        else if (frame < 0 || Math.abs(packet.time - frame / this.#rate) > maxJitter)
            this.#rejectReason ??= "uneven frames";
        // Reordered frames are near each other. A jump this far is a gap, and must not enlarge the table.
        else if (frame > this.#count * 2 + 4096)
            this.#rejectReason ??= "uneven frames";
        if (this.#rejectReason !== undefined)
            return;
        if (frame >= this.#seen.length * 8) {
            const larger = new Uint8Array(Math.max(this.#seen.length * 2, Math.ceil((frame + 1) / 8)));
            larger.set(this.#seen);
            this.#seen = larger;
        }
        const bit = 1 << (frame & 7);
        if (((this.#seen[frame >> 3] ?? 0) & bit) !== 0)
            this.#rejectReason = "uneven frames";
        this.#seen[frame >> 3] = (this.#seen[frame >> 3] ?? 0) | bit;
        this.#count++;
        this.#last = Math.max(this.#last, frame);
        if (packet.isKey) {
            this.#keys.push(packet.time);
            if (startsSegment(packet.time, this.#segments.length))
                this.#segments.push({ start: packet.time, bytes: 0 });
        }
        const segment = this.#segments.at(-1);
        if (segment === undefined)
            this.#rejectReason = "no key frame first";
        else
            segment.bytes += packet.bytes;
    }
    finish() {
        const end = (this.#last + 1) / this.#rate;
        const segments = this.#segments.map(({ bytes, start }, index) => ({
            name: "",
            seconds: (this.#segments[index + 1]?.start ?? end) - start,
            bytes,
        }));
        const keyFrames = keyFramePlacement(this.#keys, this.#rate, end);
        const sourceStarts = this.#segments.map(({ start }) => Math.round(start * this.#rate));
        const isGood = keyFrames !== undefined &&
            segments.every(({ seconds }) => seconds <= maxSegmentSeconds) &&
            sourceStarts.join() === segmentStarts(keyFrames, this.#rate, this.#last).join();
        const rejectReason = this.#rejectReason ??
            (this.#count === 0 || this.#count !== this.#last + 1 ? "uneven frames" : undefined) ??
            (isGood ? undefined : "key frames");
        return { rejectReason, keys: this.#keys, keyFrames: keyFrames ?? "grid", segments };
    }
}
/** Whether the packager starts a new segment at this key frame. The tolerance covers rounded timestamps. */
const startsSegment = (time, segments) => time >= segments * segmentSeconds - 1e-6;
/** The first frames of the segments in the encoded renditions. */
const segmentStarts = (keyFrames, rate, last) => {
    const cuts = [];
    for (let n = 0;; n++) {
        const frame = keyFrames === "grid" ? gridFrame(n, rate) : n * keyFrames.frames;
        if (frame > last)
            return cuts;
        if (startsSegment(frame / rate, cuts.length))
            cuts.push(frame);
    }
};
/** The frame of the n-th key frame that the encoder sets on its own. */
const gridFrame = (n, rate) => Math.ceil(n * keyFrameSeconds * rate - 1e-6);
/** The key frame placement that gives the other renditions the same segment boundaries; undefined if none does. */
const keyFramePlacement = (keys, rate, end) => {
    const frames = keys.map((time) => Math.round(time * rate));
    const keyFrameSet = new Set(frames);
    const grid = [];
    for (let n = 0; gridFrame(n, rate) / rate < end - 1e-6; n++)
        grid.push(gridFrame(n, rate));
    if (frames[0] === 0 && grid.every((frame) => keyFrameSet.has(frame)))
        return "grid";
    const group = frames[1];
    if (group === undefined || group / rate < 0.5 || group / rate > keyFrameSeconds + 0.05)
        return undefined;
    if (!frames.every((frame, index) => frame === index * group))
        return undefined;
    return (end * rate) / group > frames.length + 0.001 ? undefined : { frames: group };
};
/** Whether the segments fit the bit rate of a rendition. As with the encoder's buffer, a peak may be 1.5 times higher. */
export const fitsBitrate = (segments, kilobits) => averageRate(segments) <= kilobits * 1000 && peakRate(segments) <= kilobits * 1500;
/** Analyses the packets of an audio track: they must start at zero and have no gaps. */
export class AudioPacketAnalyzer {
    #end;
    #frame;
    #hadOtherDuration = false;
    #rejectReason;
    add({ bytes, duration, isIrregular, time }) {
        // Packets before zero are the encoder's priming, which an edit list hides. They are left out.
        if (time < -1e-6)
            return;
        if (isIrregular || bytes === 0)
            this.#rejectReason ??= "edit list or damage";
        if (Math.abs(time - (this.#end ?? 0)) > maxJitter)
            this.#rejectReason ??= this.#end === undefined ? "late start" : "gaps";
        // Some files have a longer packet before a gap. Only the last packet may be shorter.
        if (this.#hadOtherDuration)
            this.#rejectReason ??= "gaps";
        this.#frame ??= duration;
        this.#hadOtherDuration = Math.abs(duration - this.#frame) > maxJitter;
        this.#end = time + duration;
    }
    finish() {
        return this.#rejectReason ?? (this.#end === undefined ? "no audio" : undefined);
    }
}
