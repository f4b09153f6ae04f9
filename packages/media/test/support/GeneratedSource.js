/**
 * Sources by seed: a container, codecs, a frame rate, offsets, lengths, a rotation and edit lists. Every frame has its number
 * modulo eight as brightness; at three times the colour changes and a tone begins, at the same moment.
 */
export const width = 96;
export const height = 64;
/** The length of a flash and a beep. */
const markSeconds = 0.2;
/** Numbers from 0 to 1 by seed (mulberry32). */
const randomOf = (seed) => {
    let state = seed;
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
};
const words = (text) => text.split(" ");
const x264 = "libx264 -preset veryfast -crf 12 -pix_fmt yuv420p";
const bt709 = "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv";
const videoCodecs = {
    h264: `-c:v ${x264}`,
    "h264 without B-frames": `-c:v ${x264} -bf 0`,
    "h264 that can be copied": `-c:v ${x264} -profile:v high ${bt709} -force_key_frames expr:gte(t,n_forced*2) -sc_threshold 0 -flags +cgop`,
    mpeg4: "-c:v mpeg4 -q:v 2",
    "mpeg4 with B-frames": "-c:v mpeg4 -q:v 2 -bf 2",
    mpeg2: "-c:v mpeg2video -q:v 2",
    vp8: "-c:v libvpx -b:v 1M -deadline realtime -cpu-used 8 -auto-alt-ref 0",
    mjpeg: "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p",
};
const containers = {
    mp4: {
        video: ["h264", "h264 without B-frames", "h264 that can be copied", "mpeg4"],
        audio: ["aac -ar 48000", "aac -ar 44100", "ac3"],
    },
    mov: { video: ["h264", "h264 that can be copied", "mjpeg"], audio: ["aac -ar 48000", "pcm_s16le"] },
    mkv: {
        video: ["h264", "h264 without B-frames", "mpeg4 with B-frames", "vp8"],
        audio: ["aac -ar 48000", "aac -ar 44100", "libopus", "libmp3lame", "flac", "pcm_s16le"],
    },
    webm: { video: ["vp8"], audio: ["libopus", "libvorbis"] },
    ts: { video: ["h264", "h264 without B-frames", "mpeg2"], audio: ["aac -ar 48000", "mp2", "ac3"] },
    flv: { video: ["h264", "h264 without B-frames"], audio: ["aac -ar 44100"] },
    avi: { video: ["mpeg4", "mjpeg"], audio: ["pcm_s16le"] },
};
/** Frame rates that MPEG-2 knows are all of these but the first. */
const rates = [
    { num: 15, den: 1 },
    { num: 24_000, den: 1001 },
    { num: 24, den: 1 },
    { num: 25, den: 1 },
    { num: 30_000, den: 1001 },
    { num: 30, den: 1 },
    { num: 50, den: 1 },
    { num: 60, den: 1 },
];
/** A container that can shift or cut a track without a new encode. */
const hasOffsets = new Set(["mp4", "mov", "mkv", "ts"]);
const hasEditLists = new Set(["mp4", "mov"]);
export const generate = (seed) => {
    const random = randomOf(seed * 7919 + 1);
    const pick = (list) => {
        const value = list[Math.floor(random() * list.length)];
        if (value === undefined)
            throw new RangeError("an empty list");
        return value;
    };
    const container = pick(Object.keys(containers));
    const { audio: audioCodecs, video: codecs } = containers[container] ?? { audio: [], video: [] };
    const codec = pick(codecs);
    const audioCodec = pick(audioCodecs);
    const rate = pick(codec === "mpeg2" ? rates.slice(1) : rates);
    const fps = rate.num / rate.den;
    // The encoder rounds it to whole frames.
    const videoStart = hasOffsets.has(container) ? Math.round(pick([0, 0, 0.021, 0.5, 1.3]) * fps) / fps : 0;
    const audioStart = videoStart === 0 && hasOffsets.has(container) ? pick([0, 0, 0.3]) : 0;
    const extraAudio = pick([0, 0, 0, 1.5, -1.5]);
    const isTrimmed = hasEditLists.has(container) && videoStart + audioStart === 0 && codec !== "mjpeg" && random() < 0.3;
    const quarters = hasEditLists.has(container) ? pick([0, 0, 1, 2, 3]) : 0;
    const frames = Math.round(5 * fps);
    const videoSeconds = frames / fps;
    const audioSeconds = videoSeconds + extraAudio;
    const shortest = Math.min(videoSeconds, audioSeconds);
    const times = [0.4, shortest / 2, shortest - 0.6];
    const firstFrame = (time) => Math.ceil(time * fps - 1e-6) / fps;
    // A cut begins with the same content: what it hides comes before that.
    const hidden = isTrimmed ? 1 : 0;
    const hiddenFrames = Math.round(hidden * fps);
    const hiddenSeconds = hiddenFrames / fps;
    const isMarked = (variable, offset) => times
        .map((time) => `between(${variable},${(time + offset - 1e-4).toFixed(6)},${(time + offset + markSeconds).toFixed(6)})`)
        .join("+");
    const video = [
        `color=black:s=${width}x${height}:r=${rate.num}/${rate.den}:d=${(videoSeconds + hiddenSeconds + 1).toFixed(6)}`,
        `trim=end_frame=${frames + hiddenFrames}`,
        "format=yuv420p",
        `geq=lum=24+28*mod(N-${hiddenFrames}+80\\,8):cb=128-60*gt(${isMarked("T", hiddenSeconds).replaceAll(",", "\\,")}\\,0):cr=128`,
    ].join(",");
    const audio = `aevalsrc=0.8*sin(2*PI*880*t)*gt(${isMarked("t", hiddenSeconds).replaceAll(",", "\\,")}\\,0)` +
        `:s=48000:d=${(audioSeconds + hiddenSeconds).toFixed(6)}`;
    const name = `${seed}.${container}`;
    const encoded = (output) => [
        ...words(`-itsoffset ${videoStart.toFixed(6)} -f lavfi -i ${video}`),
        ...words(`-itsoffset ${audioStart} -f lavfi -i ${audio}`),
        ...words(videoCodecs[codec]),
        ...words(`-c:a ${audioCodec} -ac 2`),
        ...(codec.startsWith("h264") && hidden > 0 ? words("-g 500") : []),
        ...(container === "webm" ? ["-strict", "-2"] : []),
        output,
    ];
    return {
        name: `${seed}: ${container}, ${codec}, ${audioCodec}, ${fps.toFixed(2)} fps, video at ${videoStart.toFixed(3)}, audio at ` +
            `${audioStart}, audio ${extraAudio} s longer${isTrimmed ? ", cut" : ""}${quarters === 0 ? "" : `, turned ${quarters * 90}`}`,
        file: name,
        steps: (file) => isTrimmed
            ? [
                encoded(file(`whole.${container}`)),
                [
                    ...words(`-ss ${hiddenSeconds.toFixed(6)} -i`),
                    file(`whole.${container}`),
                    ...words("-map 0 -c copy"),
                    file(name),
                ],
            ]
            : [encoded(file(name))],
        quarters,
        rate,
        frames,
        videoStart,
        seconds: Math.max(videoStart + videoSeconds, audioStart + audioSeconds),
        flashes: times.map((time) => videoStart + firstFrame(time)),
        beeps: times.map((time) => audioStart + time),
    };
};
