/** Settings of media processing: renditions, concurrency, input limits and quotas. */
import * as ChunkWindow from "@armoricore/media/chunked/ChunkWindow";
import { videoCodecIds, withDefaultCodec } from "@armoricore/media/encode/codecs/Codecs";
import { Ladder } from "@armoricore/media/encode/Ladder";
import { defaultShortWorkLimit } from "@armoricore/media/pipeline/WorkClass";
import { defaultInputLimits } from "@armoricore/media/probe/Probe";
import { Duration, Option, Result, Schema } from "effect";
import { choice, httpProtocols, int, longSecret, minSigningSecret, optional, positiveDuration, size, text, url, withDefault, } from "./Setting.ts";
/** Characters of a secret that protects all content keys. */
const minKeySecret = 16;
/** `1080:5000,720:2800`: the short side in pixels and the maximum bit rate in kilobits per second. */
const ladder = optional((value) => Result.fromOption(Option.filter(Schema.decodeUnknownOption(Ladder)(value.split(",").map((part) => {
    const match = /^\s*([0-9]+)p?\s*:\s*([0-9]+)\s*$/.exec(part);
    return { shortSide: Number(match?.[1]), kilobits: Number(match?.[2]) };
})), (renditions) => new Set(renditions.map(({ shortSide }) => shortSide)).size === renditions.length), () => "must be different renditions such as 1080:5000,720:2800: a short side of 16 to 8640 pixels, and 50 to 200000 kilobits per second"));
/** Names of renditions, or `all`. */
const mp4Renditions = optional((value) => {
    const names = value.split(",").map((part) => part.trim());
    if (names.length === 1 && names[0] === "all")
        return Result.succeed("all");
    return names.every((name) => /^[0-9]+p$/.test(name))
        ? Result.succeed(names)
        : Result.fail("must be all, or renditions separated by commas such as 720p,360p");
});
/** Ids of video codecs. The first known codec is always made. */
const codecs = optional((value) => Result.fromNullishOr(withDefaultCodec(value.split(",").map((part) => part.trim().toLowerCase())), () => `must be codecs separated by commas: ${videoCodecIds.join(", ")}`));
/** The range of ffmpeg's loudnorm filter. */
const loudness = optional((value) => {
    const number = Number(value);
    return /^-[0-9]+(\.[0-9]+)?$/.test(value) && number >= -70 && number <= -5
        ? Result.succeed(number)
        : Result.fail("must be a loudness from -70 to -5 LUFS, such as -16");
});
export const media = {
    MEDIA_LADDER: ladder({
        description: "renditions as side:kilobits separated by commas; a side stands for a box of 16:9. The largest rendition has the source's own size, unless that exceeds the largest box",
        defaultText: "2160:14000,1440:9000,1080:5000,720:2800,480:1400,360:800",
        example: "1080:5000,720:2800,360:800",
    }),
    MEDIA_CODECS: codecs({
        description: "video codecs of the renditions, separated by commas: h264, hevc, av1. h264 is always made; each further codec adds a rendition of every size and several times the CPU time",
        defaultText: "h264",
        example: "h264,hevc",
    }),
    MEDIA_PROTECTION: withDefault(choice("off", "aes-128", "cbcs")({
        description: "encryption of streams: aes-128 of whole segments (HLS only), or cbcs of samples (HLS and DASH, ClearKey); needs MEDIA_KEY_SECRET",
    }), "off", "off"),
    MEDIA_KEY_SECRET: longSecret(minKeySecret)({
        description: "secret that encrypts the stored content keys; without it, or with another one, protected streams cannot be played. The processes of media and realtime need the same",
        example: "…",
    }),
    MEDIA_KEY_PERIOD: positiveDuration({
        description: "part of a stream that one content key is for, rounded up to segments of 4 s",
        defaultText: "the whole stream",
        example: "10 min",
    }),
    MEDIA_KEY_SERVER_URL: url(...httpProtocols)({
        description: "URL of a key server that makes the content keys",
        defaultText: "they are made here",
        example: "https://keys.example.com/armoricore",
    }),
    MEDIA_KEY_SERVER_SECRET: longSecret(minSigningSecret)({
        description: "secret that signs the questions to MEDIA_KEY_SERVER_URL",
        example: "…",
    }),
    MEDIA_MP4: mp4Renditions({
        description: "renditions that are also made as MP4 files for download, separated by commas; all makes every one",
        defaultText: "none",
        example: "720p",
    }),
    MEDIA_LOUDNESS: loudness({
        description: "loudness that audio is normalised to, in LUFS",
        defaultText: "not changed",
        example: "-16",
    }),
    MEDIA_AUDIO_ONLY: withDefault(choice("on", "off")({ description: "adds an audio-only rendition to videos" }), "on", "on"),
    MEDIA_PASSTHROUGH: withDefault(choice("on", "off")({ description: "copies a video or audio stream without encoding where it already fits a rendition" }), "on", "on"),
    MEDIA_STORYBOARD: withDefault(choice("on", "off")({ description: "makes preview images for seeking" }), "on", "on"),
    MEDIA_THUMBNAILS: withDefault(int(1, 50)({ description: "number of thumbnails, at even intervals" }), 5, "5"),
    MEDIA_CONCURRENCY: withDefault(int(1, 64)({
        description: "short uploads that a process transcodes at once, and as many long ones; one job uses every core",
    }), 1, "1"),
    MEDIA_SHORT_MAX_COST: withDefault(positiveDuration({ description: "maximum length of a short upload, as if it were 1080p at 30 frames per second" }), Duration.seconds(defaultShortWorkLimit), "1 min"),
    MEDIA_CHUNK_MIN_DURATION: withDefault(positiveDuration({
        description: "minimum length of a video that is cut into chunks, which all media workers encode together",
    }), Duration.minutes(10), "10 min"),
    MEDIA_CHUNK_SECONDS: withDefault(int(4, 120)({ description: "length of a chunk in seconds, rounded up to whole segments of 4 s" }), ChunkWindow.defaultChunkSeconds, String(ChunkWindow.defaultChunkSeconds)),
    MEDIA_CHUNK_CONCURRENCY: int(1, 1024)({
        description: "chunks that a process encodes at once; each uses one core",
        defaultText: "number of cores",
        example: "4",
    }),
    MEDIA_USER_CONCURRENCY: int(1, 64)({
        description: "short uploads of one user that are transcoded at once, and as many long ones, over all processes",
        defaultText: "no limit",
        example: "2",
    }),
    MEDIA_UPLOAD_TOKEN: withDefault(choice("optional", "required")({
        description: "required: media.uploaded from outside is refused without the upload_token of POST /v1/uploads; optional: a token that is present must be valid",
    }), "optional", "optional"),
    MEDIA_WORK_DIR: text({
        description: "folder for temporary files of running jobs",
        defaultText: "the system's temporary folder",
        example: "/var/tmp/armoricore",
    }),
    MEDIA_MAX_BYTES: withDefault(size(1)({ description: "maximum size of an upload" }), defaultInputLimits.maxBytes, "50 GB"),
    MEDIA_MAX_DURATION: withDefault(positiveDuration({ description: "maximum length of a recording" }), Duration.seconds(defaultInputLimits.maxSeconds), "12 h"),
    MEDIA_MAX_PIXELS: withDefault(int(256, 1_000_000_000)({ description: "maximum frame size in pixels (width times height)" }), defaultInputLimits.maxPixels, String(defaultInputLimits.maxPixels)),
    MEDIA_MAX_TRACKS: withDefault(int(1, 1000)({ description: "maximum number of tracks of all kinds in a file" }), defaultInputLimits.maxStreams, String(defaultInputLimits.maxStreams)),
    MEDIA_MAX_MEMORY: withDefault(size(500e6)({ description: "address space that ffmpeg may use" }), 8e9, "8 GB"),
    MEDIA_TIMEOUT_FACTOR: withDefault(int(1, 10_000)({ description: "seconds of processing allowed per second of recording, in addition to five minutes" }), 30, "30"),
    MEDIA_STALL_TIMEOUT: withDefault(positiveDuration({ description: "ffmpeg is killed after this time without progress" }), Duration.minutes(1), "1 min"),
    MEDIA_MIN_FREE_DISK: withDefault(size(0)({ description: "minimum free space in the folder for temporary files, in addition to the upload" }), 200e6, "200 MB"),
    MEDIA_MAX_OUTPUT: size(1e6)({
        description: "maximum size of the output of one upload in the folder for temporary files",
        defaultText: "twice the size that the bit rates add up to",
        example: "20 GB",
    }),
    MEDIA_QUOTA_UPLOADS: int(1, 1_000_000)({
        description: "uploads per user and day (UTC); a retry does not count",
        defaultText: "no limit",
        example: "50",
    }),
    MEDIA_QUOTA_BYTES: size(1)({
        description: "bytes of uploads per user and day (UTC)",
        defaultText: "no limit",
        example: "20 GB",
    }),
    MEDIA_QUOTA_DURATION: positiveDuration({
        description: "length of recordings per user and day (UTC)",
        defaultText: "no limit",
        example: "10 h",
    }),
};
