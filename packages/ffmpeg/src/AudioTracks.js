/**
 * Which audio track of a recording is used, from the streams that ffprobe reports. The stream and its captions follow
 * the same rule, so that the captions belong to the audio that a viewer plays.
 */
/** An audio track with channels (a damaged one has none) in one of the codecs that this ffmpeg decodes. */
export const isDecodableAudio = ({ channels = 0, codec_name = "", codec_type }, decodableCodecs) => codec_type === "audio" && channels > 0 && decodableCodecs.has(codec_name);
/** Audio that describes the picture, or people who talk about it. */
const isSecondary = ({ disposition }) => ["comment", "descriptions", "visual_impaired"].some((flag) => disposition?.[flag] === 1);
/** The default track of the file, or its first one; description and commentary only if there is nothing else. */
export const preferredTrack = (streams) => {
    const main = streams.filter((stream) => !isSecondary(stream));
    const candidates = main.length === 0 ? streams : main;
    return candidates.find(({ disposition }) => disposition?.["default"] === 1) ?? candidates[0];
};
