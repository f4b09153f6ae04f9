/** A page with hls.js, dash.js and shaka-player in a real Chromium, over a small server that knows a folder and the players. */
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { Effect, FileSystem } from "effect";
import { chromium } from "playwright-core";
const require = createRequire(import.meta.url);
const players = {
    "/hls.js": require.resolve("hls.js/dist/hls.min.js"),
    "/dash.js": require.resolve("dashjs/dist/modern/umd/dash.all.min.js"),
    "/shaka.js": require.resolve("shaka-player/dist/shaka-player.compiled.js"),
};
/** Released files of older series, packed: each npm package has 30 MB. */
export const olderHls = {
    "1.5": fileURLToPath(new URL("../fixtures/players/hls-1.5.20.min.js.gz", import.meta.url)),
    "1.6": fileURLToPath(new URL("../fixtures/players/hls-1.6.16.min.js.gz", import.meta.url)),
};
const types = {
    ".js": "text/javascript",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".vtt": "text/vtt",
    ".jpg": "image/jpeg",
};
const page = (hls) => `<!doctype html><meta charset="utf-8"><title>player</title><script src="${hls}"></script><script src="/dash.js"></script><script src="/shaka.js"></script>
<body style="margin:0;background:#222"><video id="video" muted style="width:640px;height:360px"></video><canvas id="preview"></canvas>`;
/** The address of a server over `folder`, until the scope closes. */
export const servePlayer = (folder) => Effect.map(Effect.acquireRelease(Effect.promise(() => new Promise((resolve) => {
    const server = createServer((request, response) => {
        const url = new URL(request.url ?? "/", "http://localhost");
        const path = decodeURIComponent(url.pathname);
        const version = url.searchParams.get("hls");
        const older = /^\/hls-(.*)\.js$/.exec(path)?.[1];
        const type = path === "/" ? "text/html" : (types[extname(path)] ?? "video/mp4");
        const body = path === "/"
            ? Promise.resolve(Buffer.from(page(version === null ? "/hls.js" : `/hls-${version}.js`)))
            : older === undefined
                ? readFile(players[path] ?? join(folder, normalize(path)))
                : readFile(olderHls[older] ?? path).then((bytes) => gunzipSync(bytes));
        body.then((bytes) => response.writeHead(200, { "content-type": type }).end(bytes), () => response.writeHead(404).end());
    }).listen(0, "127.0.0.1", () => resolve(server));
})), (server) => Effect.promise(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
})), (server) => {
    const address = server.address();
    return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
});
const flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required --disable-background-media-suspend";
/** A browser with a profile of its own. */
export const launchBrowser = Effect.fnUntraced(function* (executablePath) {
    const fs = yield* FileSystem.FileSystem;
    const profile = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-player-" });
    return yield* Effect.acquireRelease(Effect.promise(() => chromium.launchPersistentContext(profile, { executablePath, args: flags.split(" "), headless: true })), (context) => Effect.promise(() => context.close()));
});
