/** Settings of the pipeline with their defaults, and the encoding plan that follows from them. */
import { basename, extname } from "node:path/posix";
import { Duration } from "effect";
import { defaultVideoCodecIds } from "../encode/codecs/Codecs.ts";
import * as DiskQuota from "../encode/DiskQuota.ts";
import { EncodingPlan } from "../encode/EncodingPlan.ts";
import { defaultLadder, frameRate, planRenditions } from "../encode/Ladder.ts";
import { defaultInputLimits } from "../probe/Probe.ts";
import * as Storyboard from "../packaging/Storyboard.ts";
import { defaultShortWorkLimit } from "./WorkClass.ts";
/** The only place that applies defaults. */
export const resolve = (options) => {
    const { maxOutputBytes } = options;
    return {
        bucket: options.bucket,
        sourceBuckets: options.sourceBuckets,
        ladder: options.ladder ?? defaultLadder,
        codecs: options.codecs ?? defaultVideoCodecIds,
        limits: options.limits ?? defaultInputLimits,
        thumbnails: options.thumbnails ?? 5,
        stallTimeout: options.stallTimeout ?? Duration.minutes(1),
        timeoutFactor: options.timeoutFactor ?? 30,
        uploadConcurrency: options.uploadConcurrency ?? 4,
        shortWorkLimit: options.shortWorkLimit ?? defaultShortWorkLimit,
        passthrough: options.passthrough ?? true,
        storyboard: options.storyboard ?? true,
        audioOnly: options.audioOnly ?? true,
        mp4: options.mp4 ?? [],
        loudness: options.loudness,
        protection: options.protection,
        memoryLimit: options.memoryLimit ?? 8e9,
        publishTimeout: options.publishTimeout ?? Duration.minutes(5),
        minFreeDisk: options.minFreeDisk ?? 200e6,
        maxOutputBytes: maxOutputBytes === undefined ? DiskQuota.estimate : () => maxOutputBytes,
        chunks: options.chunks,
    };
};
/** Names of the plan's renditions that are also published as MP4 files. */
export const mp4Renditions = ({ mp4 }, { renditions, request }) => renditions
    .map(({ name }) => name)
    .filter((name) => mp4 === "all" || request?.download !== undefined || mp4.includes(name));
/** The time limit of ffmpeg for this many seconds of the source. */
export const transcodeTimeout = ({ timeoutFactor }, seconds) => Duration.seconds(300 + seconds * timeoutFactor);
/** Plans the renditions and still images of a source. */
export const planEncoding = (options, info, toneMapping, request) => {
    const renditions = info.video === undefined ? [] : planRenditions(info.video, options.ladder, options.codecs);
    const smallest = renditions.at(-1);
    const hasStoryboard = options.storyboard && info.video?.still === undefined;
    return new EncodingPlan({
        info,
        renditions,
        frameRate: frameRate(info.video?.frameRate ?? { num: 30, den: 1 }),
        thumbnails: info.video === undefined ? 0 : options.thumbnails,
        toneMapping,
        storyboard: smallest !== undefined && hasStoryboard ? Storyboard.plan(smallest, info.duration) : undefined,
        loudness: options.loudness,
        request,
        // Decoders count the padding of a frame too.
        maxPixels: options.limits.maxPixels * 2,
    });
};
/** The name of files for download: that of the request, else that of the uploaded file, without its ending. */
export const downloadName = ({ request }, filePath) => (request?.download ?? "") === "" ? basename(filePath, extname(filePath)) : (request?.download ?? "");
