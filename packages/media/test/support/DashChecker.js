/** The DASH manifest: XML that parses, and the same segments with the same lengths as the HLS playlists. */
import { Effect, FileSystem, Path } from "effect";
import { parse, childrenNamed } from "./Xml.ts";
export const checkDash = Effect.fnUntraced(function* (folder, parts) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const text = yield* fs.readFileString(path.join(folder, "manifest.mpd"));
    const faults = [];
    const mpd = parse(text);
    if (mpd.name !== "MPD" || mpd.attributes["type"] !== "static")
        faults.push("manifest.mpd is not a static MPD");
    const sets = childrenNamed(mpd, "Period").flatMap((period) => childrenNamed(period, "AdaptationSet"));
    const seen = new Set();
    for (const set of sets) {
        for (const representation of childrenNamed(set, "Representation")) {
            const id = String(representation.attributes["id"]);
            // Captions have a file of their own; the tests of captions read it.
            if (set.attributes["contentType"] === "image" || set.attributes["contentType"] === "text")
                continue;
            seen.add(id);
            const part = parts.find(({ uri }) => path.dirname(uri) === id);
            if (part === undefined) {
                faults.push(`manifest.mpd names ${id}, HLS does not`);
                continue;
            }
            for (const name of ["bandwidth", "codecs"]) {
                if (representation.attributes[name] === undefined)
                    faults.push(`${id} has no ${name}`);
            }
            const [template] = childrenNamed(representation, "SegmentTemplate");
            const named = (pattern, number) => String(pattern).replace("$RepresentationID$", id).replace("$Number%05d$", String(number).padStart(5, "0"));
            if (!(yield* fs.exists(path.join(folder, named(template?.attributes["initialization"], 0))))) {
                faults.push(`the initialisation segment of ${id} is not there`);
            }
            const lengths = childrenNamed(childrenNamed(template, "SegmentTimeline")[0], "S").flatMap((run) => Array.from({ length: Number(run.attributes["r"] ?? 0) + 1 }, () => Number(run.attributes["d"]) / Number(template?.attributes["timescale"])));
            const uris = lengths.map((_, number) => named(template?.attributes["media"], number + Number(template?.attributes["startNumber"])));
            const expected = part.segments.map(({ uri }) => `${id}/${uri}`);
            if (uris.join(" ") !== expected.join(" "))
                faults.push(`${id} has other segments in DASH than in HLS`);
            for (const [index, { seconds }] of part.segments.entries()) {
                if (Math.abs((lengths[index] ?? 0) - seconds) > 0.001)
                    faults.push(`${id} ${index} has two lengths`);
            }
        }
    }
    for (const { uri } of parts)
        if (!seen.has(path.dirname(uri)))
            faults.push(`manifest.mpd does not name ${uri}`);
    return faults;
});
