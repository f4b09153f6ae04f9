/**
 * `prepack` and `postpack` of every package: while npm packs, `exports` points at the built JavaScript; afterwards the
 * manifest is the checkout's again, in which TypeScript runs as it is.
 */
import { existsSync, readFileSync, renameSync, writeFileSync, copyFileSync } from "node:fs"
import { join } from "node:path"

const step = process.argv[2]
const manifest = join(process.cwd(), "package.json")
const backup = join(process.cwd(), "package.checkout.json")

if (step === "prepack") {
  if (!existsSync(join(process.cwd(), "dist", "index.js"))) {
    console.error("Nothing is built here: run `npm run build` at the top of the checkout first.")
    process.exit(1)
  }
  copyFileSync(manifest, backup)
  const { scripts: _scripts, ...fields } = JSON.parse(readFileSync(manifest, "utf8"))
  const packed = {
    ...fields,
    exports: {
      ".": { types: "./dist/index.d.ts", default: "./dist/index.js" },
      "./*": { types: "./dist/*.d.ts", default: "./dist/*.js" },
    },
    files: ["dist", ...fields.files.filter((entry: string) => entry !== "src")],
    engines: { node: ">=22.19" },
  }
  writeFileSync(manifest, `${JSON.stringify(packed, null, 2)}\n`)
} else if (step === "postpack") {
  if (existsSync(backup)) renameSync(backup, manifest)
} else {
  console.error("usage: packing.ts prepack|postpack")
  process.exit(2)
}
