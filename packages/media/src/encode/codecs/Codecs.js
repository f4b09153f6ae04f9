import { aac } from "./Aac.ts";
import { av1 } from "./Av1.ts";
import { h264 } from "./H264.ts";
import { hevc } from "./Hevc.ts";
export const videoCodecs = [h264, hevc, av1];
/** The codec of every encoded audio track. */
export const audioCodec = aac;
export const videoCodecIds = videoCodecs.map(({ id }) => id);
/** The first listed codec: every player decodes it. */
export const defaultVideoCodecIds = [videoCodecs[0].id];
/** The first listed codec, which is always made, then the additional ones. Undefined: an id is unknown. */
export const withDefaultCodec = (ids) => ids.every((id) => videoCodecIds.includes(id)) ? [...new Set([...defaultVideoCodecIds, ...ids])] : undefined;
/** A plan holds only ids of listed codecs: its schema checks them. */
export const videoCodec = (id) => videoCodecs.find((codec) => codec.id === id) ?? videoCodecs[0];
/** The codec of an RFC 6381 string, such as `avc1.64001F`. */
export const videoCodecOf = (codec) => videoCodecs.find(({ sampleEntry }) => sampleEntry === codec.split(".", 1)[0]) ?? videoCodecs[0];
/** The encoders that ffmpeg must have for renditions of these codecs. */
export const requiredEncoders = (ids = defaultVideoCodecIds) => [
    ...ids.map((id) => videoCodec(id).encoder),
    audioCodec.encoder,
];
/** Whether an RFC 6381 codec string names an audio codec. */
export const isAudioCodec = (codec) => codec.split(".", 1)[0] === audioCodec.sampleEntry;
/** Bytes of a visual and of an audio sample entry before its own boxes (ISO/IEC 14496-12). */
const visualEntryBytes = 78;
const audioEntryBytes = 28;
/** The known sample entries of MP4 by their type. */
export const sampleEntries = new Map([
    ...videoCodecs.map((codec) => [codec.sampleEntry, { ...codec, headerBytes: visualEntryBytes }]),
    [audioCodec.sampleEntry, { ...audioCodec, headerBytes: audioEntryBytes }],
]);
