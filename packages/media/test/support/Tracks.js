/** Joins the segments of a downloaded track. */
import { Effect, FileSystem, Path } from "effect";
/** The rendition or audio track in `folder` as one file. */
export const concatTrack = Effect.fnUntraced(function* (stream, folder) {
    const fs = yield* FileSystem.FileSystem;
    const path = yield* Path.Path;
    const names = (yield* fs.readDirectory(path.join(stream, folder))).filter((name) => name.endsWith(".m4s")).sort();
    const parts = yield* Effect.forEach(["init.mp4", ...names], (name) => fs.readFile(path.join(stream, folder, name)));
    const file = path.join(stream, `${folder}.mp4`);
    yield* fs.writeFile(file, Buffer.concat(parts));
    return file;
});
