/**
 * `npm run vendor`: writes the files of `vendor/`. Each folder there stands for an npm package of which only a few
 * files are used: the packages of hls.js and dash.js unpack to 160 MB, mostly source maps and debug builds. Its
 * package.json names the version and, under `vendored`, the files with their SHA-256. To update, change the version
 * and run this.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
const folder = fileURLToPath(new URL("../vendor", import.meta.url));
/** The manifest of each folder below `vendor/`. */
export const vendoredPackages = () => readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => JSON.parse(readFileSync(join(folder, name, "package.json"), "utf8")));
export const digestOf = ({ name }, file) => createHash("sha256")
    .update(readFileSync(join(folder, name, file)))
    .digest("hex");
const update = (vendored) => {
    const { name, version } = vendored;
    const temporary = mkdtempSync(join(tmpdir(), "armoricore-vendor-"));
    try {
        execFileSync("npm", ["pack", "--silent", `${name}@${version}`], { cwd: temporary, stdio: "pipe" });
        execFileSync("tar", ["-xzf", `${name}-${version}.tgz`], { cwd: temporary });
        const digests = {};
        for (const file of Object.keys(vendored.vendored)) {
            cpSync(join(temporary, "package", file), join(folder, name, file));
            digests[file] = digestOf(vendored, file);
        }
        const manifest = join(folder, name, "package.json");
        writeFileSync(manifest, `${JSON.stringify({ ...vendored, vendored: digests }, null, 2)}\n`);
        console.log(`${name} ${version}: ${Object.keys(digests).length} files`);
    }
    finally {
        rmSync(temporary, { recursive: true, force: true });
    }
};
if (process.argv[1] === fileURLToPath(import.meta.url))
    vendoredPackages().forEach(update);
