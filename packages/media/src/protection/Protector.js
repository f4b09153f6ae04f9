/** Encrypts the files of one stream by its plan. */
import { isAudio } from "../packaging/Mp4.ts";
import { videoCodecOf } from "../encode/codecs/Codecs.ts";
import * as Aes128 from "./Aes128.ts";
import * as Cbcs from "./Cbcs.ts";
import { keyIndex, segmentNumber } from "./Protection.ts";
/** `keys` are in the order of the ids in the plan. */
export const make = (protection, keys) => {
    const keyOf = (name) => keys[keyIndex(protection, name)] ?? keys[0];
    if (protection.scheme === "aes-128") {
        return {
            init: (bytes) => bytes,
            segment: (name, bytes) => ({
                stored: Aes128.encrypt(bytes, keyOf(name).key, segmentNumber(name)),
                measured: bytes,
            }),
        };
    }
    return {
        init: (bytes, track) => Cbcs.protectInit(bytes, keys[0], protection.keyIds, isAudio(track)),
        segment: (name, bytes, track) => {
            const ranges = isAudio(track) ? undefined : videoCodecOf(track.codec).sliceRanges;
            const stored = Cbcs.protectSegment(bytes, keyOf(name), protection.keyIds, ranges);
            return stored === undefined ? undefined : { stored, measured: stored };
        },
    };
};
