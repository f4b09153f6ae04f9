/**
 * Builds `bundle/armoricore-client.js`: the client with `phoenix` as one ES module, for pages without a bundler, such as
 * the demo's. `npm ci` runs it in a checkout, and `npm run build` for the package.
 */
import { fileURLToPath } from "node:url";
const folder = (path) => fileURLToPath(new URL(path, import.meta.url));
/** Writes `name`.js into `outDir`. */
export const bundle = async (entry, outDir, name) => {
    // An installation without development packages has no bundler. It gets the built file from the image or the package.
    const vite = await import("vite").catch(() => undefined);
    if (vite === undefined)
        return console.error(`${name} is not built: vite is a development package and is not installed.`);
    await vite.build({
        configFile: false,
        logLevel: "warn",
        define: { "process.env.NODE_ENV": '"production"' },
        build: {
            outDir,
            emptyOutDir: false,
            minify: true,
            // For a library, vite leaves the white space in place.
            rolldownOptions: { output: { minify: true } },
            lib: { entry, formats: ["es"], fileName: () => `${name}.js` },
        },
    });
};
export const buildClient = (outDir) => bundle(folder("../src/index.ts"), outDir, "armoricore-client");
if (process.argv[1] === fileURLToPath(import.meta.url))
    await buildClient(folder("../bundle"));
