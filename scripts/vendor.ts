/**
 * `npm run vendor`: writes the files of `vendor/`. Each folder there stands for an npm package of which only a few
 * files are used: the packages of hls.js and dash.js unpack to 160 MB, mostly source maps and debug builds. Its
 * package.json names the version and, under `vendored`, the files with their SHA-256. With `bundled`, dist/index.js is
 * what entry.js imports from the named packages. To update, change the version and run this.
 */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const folder = fileURLToPath(new URL("../vendor", import.meta.url))

export interface VendoredPackage {
  readonly name: string
  readonly version: string
  /** Path in the package → SHA-256 in hexadecimal. */
  readonly vendored: Readonly<Record<string, string>>
  /** Package → version. */
  readonly bundled?: Readonly<Record<string, string>>
}

/** The manifest of each folder below `vendor/`, which has the package's name without its scope. */
export const vendoredPackages = (): ReadonlyArray<VendoredPackage> =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => JSON.parse(readFileSync(join(folder, name, "package.json"), "utf8")) as VendoredPackage)

const folderOf = ({ name }: VendoredPackage): string => join(folder, name.replace(/^@.*\//, ""))

export const digestOf = (vendored: VendoredPackage, file: string): string =>
  createHash("sha256")
    .update(readFileSync(join(folderOf(vendored), file)))
    .digest("hex")

/** Writes the vendored files of a package to `temporary/package`. */
const unpack = ({ name, version }: VendoredPackage, temporary: string): void => {
  execFileSync("npm", ["pack", "--silent", `${name}@${version}`], { cwd: temporary, stdio: "pipe" })
  execFileSync("tar", ["-xzf", `${name}-${version}.tgz`], { cwd: temporary })
}

/** Writes the license of the first bundled package and the bundle to `temporary/package`. */
const bundle = async (vendored: VendoredPackage, temporary: string): Promise<void> => {
  const packages = Object.entries(vendored.bundled ?? {})
  const specifiers = packages.map(([name, version]) => `${name}@${version}`)
  execFileSync("npm", ["install", "--silent", "--prefix", temporary, ...specifiers], { stdio: "pipe" })
  cpSync(join(temporary, "node_modules", packages[0]?.[0] ?? "", "LICENSE"), join(temporary, "package/LICENSE"))
  cpSync(join(folderOf(vendored), "entry.js"), join(temporary, "entry.js"))
  const output = { entryFileNames: "index.js" }
  const { build } = await import("vite")
  await build({
    root: temporary,
    logLevel: "warn",
    build: { outDir: "package/dist", ssr: "entry.js", minify: true, rolldownOptions: { output } },
    ssr: { noExternal: true },
  })
}

const update = async (vendored: VendoredPackage): Promise<void> => {
  const { name, version } = vendored
  const temporary = mkdtempSync(join(tmpdir(), "armoricore-vendor-"))
  try {
    if (vendored.bundled !== undefined) await bundle(vendored, temporary)
    else if (Object.keys(vendored.vendored).length > 0) unpack(vendored, temporary)
    const digests: Record<string, string> = {}
    for (const file of Object.keys(vendored.vendored)) {
      cpSync(join(temporary, "package", file), join(folderOf(vendored), file))
      digests[file] = digestOf(vendored, file)
    }
    const manifest = join(folderOf(vendored), "package.json")
    writeFileSync(manifest, `${JSON.stringify({ ...vendored, vendored: digests }, null, 2)}\n`)
    console.log(`${name} ${version}: ${Object.keys(digests).length} files`)
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) for (const one of vendoredPackages()) await update(one)
