import { inputRestrictions } from "@armoricore/ffmpeg/InputRestrictions";
import * as Ffmpeg from "@armoricore/ffmpeg/Ffmpeg";
import { mapDiskErrors } from "@armoricore/ffmpeg/ScratchDir";
import { Duration, Effect, FileSystem, Path, Stream } from "effect";
import { videoCodec } from "../encode/codecs/Codecs.ts";
import { topKilobits } from "../encode/Ladder.ts";
import { averageRate } from "../packaging/MediaPlaylist.ts";
import { videoRejectReason, audioRejectReason } from "./PassthroughConditions.ts";
import { fitsBitrate, VideoPacketAnalyzer, packetParser, AudioPacketAnalyzer } from "./PacketAnalyzer.ts";
/** Never fails because of the file: tracks that cannot be analysed are encoded. */
export const decide = Effect.fn("PassthroughCheck.decide")(function* (plan, request) {
    const { info } = plan;
    const [top] = plan.renditions;
    const headerRejectReason = videoRejectReason(info, top, plan.frameRate);
    const rules = headerRejectReason === undefined && top !== undefined ? videoCodec(top.codec).passthrough : undefined;
    const audioHeaderRejectReasons = info.audioTracks.map((audio) => audioRejectReason(plan, audio));
    const tracks = audioHeaderRejectReasons.flatMap((reason, track) => (reason === undefined ? [track] : []));
    if (headerRejectReason !== undefined && tracks.length === 0)
        return { plan, videoRejectReason: headerRejectReason, audioRejectReasons: audioHeaderRejectReasons };
    if (!(yield* listPackets(plan, rules, tracks, request))) {
        return {
            plan,
            videoRejectReason: headerRejectReason ?? unlistedReason,
            audioRejectReasons: audioHeaderRejectReasons.map((reason) => reason ?? unlistedReason),
        };
    }
    const video = headerRejectReason === undefined ? yield* checkVideo(plan, request) : undefined;
    const audioRejectReasons = yield* Effect.forEach(audioHeaderRejectReasons, (reason, track) => reason === undefined ? checkAudio(track, request) : Effect.succeed(reason));
    const passthroughTracks = tracks.filter((track) => audioRejectReasons[track] === undefined);
    const rejectReason = headerRejectReason ?? video?.rejectReason;
    yield* Effect.logDebug("Checked the source for passthrough", { videoRejectReason: rejectReason, audioRejectReasons });
    if (rejectReason !== undefined || video === undefined) {
        return {
            plan: passthroughTracks.length === 0 ? plan : plan.with({ passthrough: { audioTracks: passthroughTracks } }),
            videoRejectReason: rejectReason,
            audioRejectReasons,
        };
    }
    const { keyFrames, segments } = video;
    const kilobits = Math.ceil(averageRate(segments) / 1000);
    const renditions = plan.renditions.map((rendition) => (rendition === top ? { ...rendition, kilobits } : rendition));
    return {
        plan: plan.with({ renditions, passthrough: { audioTracks: passthroughTracks, video: { keyFrames } } }),
        videoRejectReason: undefined,
        audioRejectReasons,
    };
});
const unlistedReason = "unreadable packets";
const checkAudio = Effect.fnUntraced(function* (track, { folder }) {
    const analyzer = new AudioPacketAnalyzer();
    yield* forEachPacket(folder, audioListing(track), (packet) => analyzer.add(packet));
    return analyzer.finish();
});
const audioListing = (track) => `audio-${track}`;
/** Writes one packet listing per track, and for the video also listings of its IDR frames and its parameter sets. */
const listPackets = Effect.fnUntraced(function* ({ info }, rules, tracks, { folder, input, timeout }) {
    const listing = (name, stream, ...filter) => [
        ..."-map".split(" "),
        `0:${stream}`,
        ..."-c copy".split(" "),
        ...filter,
        ..."-f framecrc".split(" "),
        `file:${name}`,
    ];
    const video = info.video?.index ?? 0;
    const result = yield* Ffmpeg.run({
        args: [
            ..."-hide_banner -nostdin -loglevel error".split(" "),
            ...inputRestrictions,
            "-i",
            `file:${input}`,
            ...(rules !== undefined
                ? [
                    ...listing("video", video),
                    ...listing("idr", video, "-bsf:v", `filter_units=pass_types=${rules.idrUnits}`),
                    ...listing("sets", video, "-bsf:v", `filter_units=pass_types=${rules.parameterSetUnits}`),
                ]
                : []),
            ...tracks.flatMap((track) => listing(audioListing(track), info.audioTracks[track]?.index ?? 0)),
        ],
        cwd: folder,
        onProgress: () => Effect.void,
        stallTimeout: Duration.minutes(1),
        timeout,
    });
    if (result.code === 0 && result.stderr.trim() === "")
        return true;
    yield* Effect.logDebug("ffmpeg could not list the packets; all tracks are encoded", { result });
    return false;
});
const checkVideo = Effect.fnUntraced(function* (plan, { folder, ladder }) {
    const analyzer = new VideoPacketAnalyzer(plan.frameRate);
    yield* forEachPacket(folder, "video", (packet) => analyzer.add(packet));
    const summary = analyzer.finish();
    if (summary.rejectReason !== undefined)
        return summary;
    const idrTimes = [];
    yield* forEachPacket(folder, "idr", ({ time }) => void idrTimes.push(time));
    if (idrTimes.length !== summary.keys.length || idrTimes.some((time, index) => time !== summary.keys[index])) {
        return { ...summary, rejectReason: "open groups" };
    }
    const parameterSets = [];
    let carriers = 0;
    yield* forEachPacket(folder, "sets", ({ bytes, checksum }) => {
        const parameterSet = `${bytes} ${checksum}`;
        if (!parameterSets.includes(parameterSet) && parameterSets.length < 2)
            parameterSets.push(parameterSet);
        carriers++;
    });
    // Either only the header has parameter sets, or every key frame has the same ones.
    if (parameterSets.length > 1 || (parameterSets.length === 1 && carriers < summary.keys.length))
        return { ...summary, rejectReason: "parameters" };
    const { video } = plan.info;
    const kilobits = video === undefined ? 0 : topKilobits(video, ladder);
    if (!fitsBitrate(summary.segments, kilobits))
        return { ...summary, rejectReason: "bit rate" };
    return summary;
});
const forEachPacket = Effect.fnUntraced(function* (folder, name, onPacket) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const parse = packetParser();
    let rest = "";
    const parseLines = (text) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
            const packet = parse(line);
            if (packet !== undefined)
                onPacket(packet);
        }
    };
    const file = path.join(folder, name);
    yield* mapDiskErrors(Stream.runForEach(Stream.decodeText(fs.stream(file)), (text) => Effect.sync(() => parseLines(text))).pipe(Effect.andThen(fs.remove(file))));
    parseLines("\n");
});
