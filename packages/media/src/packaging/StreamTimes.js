import * as TrackAlignment from "../encode/TrackAlignment.ts";
import * as MediaPlaylist from "./MediaPlaylist.ts";
/** Seconds by which a track may be shorter or longer than the source, in addition to one frame: a damaged end is lost. */
const lengthTolerance = 0.5;
/** Seconds between the end of a segment and the start of the next one, for rounded ticks. */
const gapTolerance = 0.002;
/** Frames by which a copied video may differ from its source: none is decoded, so none is lost. */
const copiedFrameTolerance = 1;
/** Seconds before the first sample: reordered frames are decoded before they are displayed. */
const maxFirstStart = 0.1;
/** The first fault; undefined if the stream has no fault. `tracks` have at least one segment each. */
export const findFault = (plan, tracks) => {
    const expected = TrackAlignment.streamSeconds(plan);
    const frame = plan.renditions.length === 0 ? 0 : plan.frameRate.den / plan.frameRate.num;
    for (const { folder, segments } of tracks) {
        const timeFault = findTimeFault(segments);
        if (timeFault !== undefined)
            return { detail: `${folder}: ${timeFault}`, isMisaligned: plan.passthrough !== undefined };
        const seconds = MediaPlaylist.totalSeconds(segments);
        if (Math.abs(seconds - expected) > lengthTolerance + frame) {
            return {
                detail: `${folder} has ${seconds.toFixed(1)} of ${expected.toFixed(1)} s`,
                isMisaligned: plan.passthrough !== undefined,
            };
        }
    }
    const frameFault = findFrameFault(plan, tracks);
    if (frameFault !== undefined)
        return { detail: frameFault, isMisaligned: plan.passthrough !== undefined };
    const [top, ...others] = plan.renditions.flatMap(({ name }) => tracks.filter(({ folder }) => folder === name));
    const unequal = others.find(({ segments }) => top !== undefined && !haveSameDurations(segments, top.segments));
    return unequal === undefined || plan.passthrough?.video === undefined
        ? undefined
        : {
            detail: `the segments of ${unequal.folder} have other durations than those of the copied video`,
            isMisaligned: true,
        };
};
/** A copied rendition has every frame of the source, an encoded one has the chosen rate over its whole length. */
const findFrameFault = (plan, tracks) => {
    for (const [position, { name }] of plan.renditions.entries()) {
        const segments = tracks.find(({ folder }) => folder === name)?.segments ?? [];
        const frames = segments.reduce((sum, segment) => sum + (segment.frames ?? Number.NaN), 0);
        if (segments.length === 0 || Number.isNaN(frames))
            continue;
        const isCopied = position === 0 && plan.passthrough?.video !== undefined;
        const expected = TrackAlignment.streamFrames(plan, isCopied);
        const tolerance = isCopied && plan.info.video?.packets !== undefined
            ? copiedFrameTolerance
            : (lengthTolerance * plan.frameRate.num) / plan.frameRate.den + 1;
        if (Math.abs(frames - expected) > tolerance)
            return `${name} has ${frames} of ${expected} frames`;
    }
    return undefined;
};
/** Decode times must begin at zero and continue without gaps. A negative one is written as a huge number. */
const findTimeFault = (segments) => {
    let expected;
    for (const { name, seconds, start } of segments) {
        if (start !== undefined) {
            const isExpected = expected === undefined ? Math.abs(start) <= maxFirstStart : Math.abs(start - expected) <= gapTolerance;
            if (!isExpected)
                return `${name} begins at ${start.toFixed(3)} s instead of ${(expected ?? 0).toFixed(3)} s`;
        }
        expected = (start ?? expected ?? 0) + seconds;
    }
    return undefined;
};
const haveSameDurations = (segments, others) => segments.length === others.length &&
    // The last segment may be a frame longer.
    segments.slice(0, -1).every(({ seconds }, index) => Math.abs(seconds - (others[index]?.seconds ?? 0)) < 0.02);
