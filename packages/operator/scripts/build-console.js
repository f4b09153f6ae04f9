/**
 * Builds the pages of the console from `src/console` into `console/`. `npm ci` runs it in a checkout; `npm pack` runs it
 * for the package, so that an installed package contains the built files.
 */
import { fileURLToPath } from "node:url";
const folder = (path) => fileURLToPath(new URL(path, import.meta.url));
// An installation without development packages has no bundler. It gets the built files from the image or the package.
const vite = await import("vite").catch(() => undefined);
if (vite === undefined)
    console.error("The console is not built: vite is a development package and is not installed.");
else
    await vite.build({
        root: folder("../src/console"),
        base: "/console/",
        // hls.js is 580 kB; a browser loads it with the first stream.
        build: { outDir: folder("../console"), emptyOutDir: true, chunkSizeWarningLimit: 700 },
        logLevel: "warn",
    });
