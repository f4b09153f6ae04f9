/**
 * Measures the tracks of a file by their packets: where each begins and ends, and the usual frame rate of the video. The
 * durations in headers are not trusted. The input is ffprobe's lines of `stream,pts,dts,duration,flags`, in file order.
 * They are processed one at a time, because twelve hours have millions of packets.
 */
export const make = ({ expectedAt = 0, hasClockJumps, start, tracks }) => {
    const measured = new Map(tracks.map((index) => [index, new Track()]));
    let offset = -start;
    let lastTime;
    let distance = Number.POSITIVE_INFINITY;
    let hasJumped = false;
    const add = (packet) => {
        const track = measured.get(packet.track);
        if (track === undefined)
            return;
        if (hasClockJumps) {
            const time = packet.dts + offset;
            // The first packet of a track is compared with that of any other track.
            const jump = track.nextTime === undefined
                ? lastTime === undefined || Math.abs(time - lastTime) <= maxGap
                    ? 0
                    : time - lastTime
                : isJump(time, track.nextTime, track.lastTime)
                    ? time - track.nextTime
                    : 0;
            offset -= jump;
            hasJumped ||= jump !== 0;
        }
        lastTime = packet.dts + offset;
        distance = Math.min(distance, Math.abs(packet.pts + offset - expectedAt));
        track.add(packet.pts + offset, lastTime, packet);
    };
    return {
        add,
        addLine: (line) => {
            const packet = parsePacket(line);
            if (packet !== undefined)
                add(packet);
        },
        track: (index) => measured.get(index)?.times(),
        distance: () => distance,
        hasJumped: () => hasJumped,
    };
};
/** Seconds; the default of ffmpeg's `dts_delta_threshold`. */
const maxGap = 10;
/** Seconds that timestamps may go back without a jump. */
const maxStepBack = 0.1;
/** The length of a packet that states none and has no neighbour. */
const defaultPacketSeconds = 0.04;
/** Seconds, for rounded timestamps. */
const maxJitter = 0.001;
/** Frames are reordered within fewer packets than this. */
const reorderWindow = 32;
const isJump = (time, expected, previous) => Math.abs(time - expected) > maxGap || time + maxStepBack < previous;
const parsePacket = (line) => {
    const [track = "", pts = "", dts = "", length = "", flags = ""] = line.split(",");
    const decodeTime = Number.parseFloat(dts);
    const displayTime = Number.parseFloat(pts);
    const at = Number.isFinite(displayTime) ? displayTime : decodeTime;
    if (!Number.isFinite(at))
        return undefined;
    return {
        track: Number.parseInt(track, 10),
        pts: at,
        dts: Number.isFinite(decodeTime) ? decodeTime : at,
        length: Math.max(0, Number.parseFloat(length) || 0),
        isHidden: flags.includes("D"),
    };
};
class Track {
    nextTime;
    lastTime = Number.NEGATIVE_INFINITY;
    #packets = 0;
    #isReordered = false;
    #start = Number.POSITIVE_INFINITY;
    #last = Number.NEGATIVE_INFINITY;
    #end = Number.NEGATIVE_INFINITY;
    #hasUnknownEnd = false;
    /** Display times in order, while later packets may still come before them. */
    #pending = [];
    #previous;
    /** How often each distance between frames occurs, in microseconds. */
    #distances = new Map();
    add(pts, dts, { isHidden, length }) {
        this.lastTime = dts;
        this.nextTime = dts + length;
        if (isHidden)
            return;
        this.#packets++;
        if (Math.abs(pts - dts) > maxJitter)
            this.#isReordered = true;
        this.#start = Math.min(this.#start, pts);
        if (pts > this.#last) {
            this.#last = pts;
            this.#hasUnknownEnd = length === 0;
        }
        this.#end = Math.max(this.#end, pts + length);
        const at = this.#pending.findLastIndex((other) => other <= pts);
        this.#pending.splice(at + 1, 0, pts);
        if (this.#pending.length > reorderWindow)
            this.#count(this.#pending.shift());
    }
    #count(pts) {
        if (pts === undefined)
            return;
        const distance = Math.round((pts - (this.#previous ?? pts)) * 1e6);
        if (distance > 0 && (this.#distances.has(distance) || this.#distances.size < maxDistances)) {
            this.#distances.set(distance, (this.#distances.get(distance) ?? 0) + 1);
        }
        this.#previous = pts;
    }
    times() {
        if (this.#packets === 0)
            return undefined;
        for (const pts of this.#pending.splice(0))
            this.#count(pts);
        const usualRate = usualRateOf(this.#distances);
        const unknown = this.#hasUnknownEnd ? (usualRate === undefined ? defaultPacketSeconds : 1 / usualRate) : 0;
        return {
            packets: this.#packets,
            start: Math.max(0, this.#start),
            end: Math.max(this.#end, this.#last + unknown, Math.max(0, this.#start) + 0.001),
            usualRate,
            isReordered: this.#isReordered,
        };
    }
}
/** More different distances than any recording has. */
const maxDistances = 20_000;
/**
 * The rate at which frames follow each other while something moves: a recording of a screen or call has pauses, which are
 * not counted. At least a third of the frames have it. Timestamps may be rounded to milliseconds, so the distances nearby
 * are averaged.
 */
const usualRateOf = (distances) => {
    const sorted = [...distances].sort(([a], [b]) => a - b);
    const total = sorted.reduce((sum, [, count]) => sum + count, 0);
    let seen = 0;
    const usual = sorted.find(([, count]) => (seen += count) >= total / 3)?.[0];
    if (usual === undefined)
        return undefined;
    const near = sorted.filter(([distance]) => Math.abs(distance - usual) <= Math.max(1100, usual * 0.1));
    const frames = near.reduce((sum, [, count]) => sum + count, 0);
    return (frames * 1e6) / near.reduce((sum, [distance, count]) => sum + distance * count, 0);
};
