/**
 * `npm run pack [-- --destination FOLDER] [NAME…]`: tarballs of the packages, for others. Each is packed from a copy with
 * the built JavaScript, a README and the LICENSE; the checkout, in which TypeScript runs as it is, stays unchanged.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { publicModules } from "./public-modules.ts";
const root = fileURLToPath(new URL("..", import.meta.url));
const builtModule = (module) => ({ types: `./dist/${module}.d.ts`, default: `./dist/${module}.js` });
/** The manifest of a tarball: JavaScript in place of TypeScript, and only the public modules. */
const packedManifest = ({ private: _private, scripts: _scripts, ...manifest }, modules) => ({
    ...manifest,
    exports: {
        ".": builtModule("index"),
        ...Object.fromEntries(modules.map((module) => [`./${module}`, builtModule(module)])),
        "./package.json": "./package.json",
    },
    files: ["dist", ...manifest.files.filter((entry) => entry !== "src")],
    engines: { node: ">=22.19" },
});
const readme = ({ description, name, peerDependencies = {} }, modules) => `# ${name}

${description}

Part of Armoricore, an event-driven backend for media processing, notifications, captions and real-time communication on
[Effect](https://effect.website).

\`\`\`console
npm install ${[name, ...Object.entries(peerDependencies).map(([peer, range]) => `"${peer}@${range}"`)].join(" ")}
\`\`\`

The package has no side effects on import: compose its Layers with those of the other packages. Tests run them in memory
with \`@armoricore/testing\`. Every module below has docstrings with shapes, units and errors.

${["", ...modules].map((module) => `- \`${module === "" ? name : `${name}/${module}`}\``).join("\n")}
`;
const allModules = publicModules();
const pack = (name, destination) => {
    const source = join(root, "packages", name);
    if (!existsSync(join(source, "dist", "index.js"))) {
        throw new Error(`packages/${name} is not built: run \`npm run build\` first`);
    }
    const modules = allModules.get(name) ?? [];
    const manifest = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));
    const copy = mkdtempSync(join(tmpdir(), "armoricore-pack-"));
    try {
        for (const entry of ["dist", ...manifest.files.filter((file) => file !== "src")]) {
            if (existsSync(join(source, entry)))
                cpSync(join(source, entry), join(copy, entry), { recursive: true });
        }
        cpSync(join(root, "LICENSE"), join(copy, "LICENSE"));
        writeFileSync(join(copy, "README.md"), readme(manifest, modules));
        writeFileSync(join(copy, "package.json"), `${JSON.stringify(packedManifest(manifest, modules), null, 2)}\n`);
        const [tarball] = JSON.parse(execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", destination], {
            cwd: copy,
            encoding: "utf8",
            stdio: ["ignore", "pipe", "pipe"],
        }));
        return join(destination, tarball?.filename ?? "");
    }
    finally {
        rmSync(copy, { recursive: true, force: true });
    }
};
const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { destination: { type: "string", default: "." } },
});
const destination = resolve(values.destination);
mkdirSync(destination, { recursive: true });
for (const name of positionals.length > 0 ? positionals : readdirSync(join(root, "packages"))) {
    console.log(pack(name, destination));
}
// Beside the names, which other programs read.
console.error(`next, in your project: npm install ${destination}/*.tgz "effect@^4.1.0"`);
