/**
 * Runs after `npm ci`: removes what no one reads, a sixth of the installed files by size. The headers of the Node that npm
 * installed are for compiling addons (67 MB), source maps for debuggers in browsers (28 MB), and the `dist-es` of the AWS
 * packages for bundlers (7 MB). mrml has a copy of its WebAssembly for each kind of bundler (2 MB).
 *
 * The comments in effect's code are removed too. V8 holds the text of every module that it has loaded: 9.4 MB of effect with
 * them, 3.8 without. Editors read the declarations beside the code. Lines keep their numbers.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
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

/** The version whose code was compared: the syntax trees of all its files are the same with and without the comments. */
const compared = "4.1.0"
/** A comment with lines of its own, as TypeScript writes them. */
const documentation = /^[ \t]*\/\*\*(?!\/)[\s\S]*?\*\/[ \t]*(?=\n)/gm

const withoutDocumentation = (code) =>
  code.replace(documentation, (comment) => "\n".repeat(comment.split("\n").length - 1))

const effect = join(modules, "effect")
const { version } = JSON.parse(readFileSync(join(effect, "package.json"), "utf8"))
const files = version === compared ? readdirSync(join(effect, "dist"), { recursive: true }) : []
for (const name of files.filter((file) => file.endsWith(".js"))) {
  const file = join(effect, "dist", name)
  const code = readFileSync(file, "utf8")
  const short = withoutDocumentation(code)
  if (short === code) continue
  // Another checkout may share the file by a hard link.
  rmSync(file)
  writeFileSync(file, short)
}
