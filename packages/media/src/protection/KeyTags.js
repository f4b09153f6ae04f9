/** How playlists and manifests name the keys of a protected stream. */
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls";
import { Effect } from "effect";
import * as Aes128 from "./Aes128.ts";
import { keyIndex, segmentNumber } from "./Protection.ts";
/** `prefix` is that of the version and ends with a slash. Undefined: the stream is not protected. */
export const make = Effect.fnUntraced(function* (protection, bucket, prefix) {
    if (protection === undefined)
        return undefined;
    const keys = yield* Effect.flatMap(PlaybackUrls, ({ keysFor }) => keysFor({ bucket, key: prefix }));
    const tag = (attributes) => `#EXT-X-KEY:${attributes.join(",")}`;
    const linesFor = (segment, ...more) => {
        const index = keyIndex(protection, segment.name);
        const uri = `URI="${keys.relative ?? keys.url}/${index}"`;
        if (protection.scheme === "aes-128")
            return [tag(["METHOD=AES-128", uri, ...more])];
        const keyId = `KEYID=0x${protection.keyIds[index] ?? ""}`;
        return [
            // Only this form: hls.js prefers `identity`, for which it does not decrypt CMAF.
            tag(["METHOD=SAMPLE-AES", uri, 'KEYFORMAT="org.w3.clearkey"', keyId]),
            ...(protection.systems ?? []).flatMap(({ hls }) => hls === undefined
                ? []
                : [
                    tag([
                        "METHOD=SAMPLE-AES",
                        `URI="${hls.uri}"`,
                        `KEYFORMAT="${hls.keyformat}"`,
                        'KEYFORMATVERSIONS="1"',
                        keyId,
                    ]),
                ]),
        ];
    };
    return {
        protection,
        licenseUrl: keys.url,
        linesFor: (segment) => linesFor(segment),
        iFrameLinesFor: (segment) => protection.scheme === "aes-128"
            ? linesFor(segment, Aes128.vectorAttribute(segmentNumber(segment.name)))
            : linesFor(segment),
    };
});
