/**
 * `node --experimental-import-meta-resolve scripts/bundle-program.ts FOLDER`: the program in few files, for a run of all
 * tests. A start loads 900 modules otherwise, half of its CPU. The modules are the same, keep the order of their imports
 * and know their own URLs, so that threads and pages are found.
 */
import { renameSync, writeFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build } from "vite"

const [, , folder = ""] = process.argv
const program = fileURLToPath(new URL("../packages/armoricore/src/main.ts", import.meta.url))

/** The same steps as in `packages/armoricore/bin/armoricore.js`. */
const entryPoint = `import module from "node:module"
module.enableCompileCache()
const { main } = await import("./main.js")
main()
`

/** Gives a module the URLs of its own file. */
const withOwnMeta = (code: string, id: string): string => {
  const url = pathToFileURL(id).href
  return code
    .replaceAll("import.meta.url", JSON.stringify(url))
    .replaceAll(/import\.meta\.resolve\("([^"]+)"\)/g, (_, name: string) =>
      JSON.stringify(import.meta.resolve(name, url)),
    )
}

const bundled = /^(?:effect|@effect|@armoricore)(?:\/|$)/
const made = `${folder}.made`

await build({
  configFile: false,
  logLevel: "error",
  plugins: [
    {
      name: "own-meta",
      enforce: "pre",
      transform: {
        filter: { code: /import\.meta\./ },
        handler: withOwnMeta,
      },
    },
    {
      // The bundle is outside the checkout, so that it names the files of other packages, as Node resolves them.
      name: "absolute-externals",
      enforce: "pre",
      resolveId: (source, importer) => {
        if (importer === undefined || /^[./]/.test(source) || isBuiltin(source) || bundled.test(source))
          return undefined
        return { id: import.meta.resolve(source, pathToFileURL(importer)), external: "absolute" }
      },
    },
  ],
  build: {
    outDir: made,
    ssr: program,
    target: "node24",
    minify: false,
    rolldownOptions: { output: { entryFileNames: "main.js", chunkFileNames: "[name]-[hash].js" } },
  },
  ssr: { noExternal: true },
})
writeFileSync(join(made, "bin.js"), entryPoint)
writeFileSync(join(made, "package.json"), JSON.stringify({ type: "module" }))
renameSync(made, folder)
