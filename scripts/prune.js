/**
 * Runs after `npm ci`: removes what no program reads, a sixth of the installed files by size. The headers of the Node that npm
 * installed are for compiling addons (67 MB), source maps for debuggers in browsers (28 MB), and the `dist-es` of the AWS
 * packages for bundlers (7 MB). mrml has a copy of its WebAssembly for each kind of bundler (2 MB).
 */
import { existsSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const modules = fileURLToPath(new URL("../node_modules", import.meta.url))

for (const architecture of ["x64", "arm64"])
  rmSync(join(modules, `node-linux-${architecture}/include`), { recursive: true, force: true })

for (const scope of ["@aws-sdk", "@smithy"].filter((name) => existsSync(join(modules, name))))
  for (const name of readdirSync(join(modules, scope)))
    rmSync(join(modules, scope, name, "dist-es"), { recursive: true, force: true })

/** Symbolic links, of which the packages of this repository are some, are not followed. */
const removeMaps = (folder) => {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) removeMaps(path)
    else if (entry.isFile() && /\.[cm]?[jt]s\.map$/.test(entry.name)) rmSync(path)
  }
}
removeMaps(modules)

for (const file of ["bundler/mrml_wasm_bg.wasm", "web/mrml_wasm_bg.wasm"])
  rmSync(join(modules, "mrml", file), { force: true })
