/**
 * The public modules of each package: those that another package, an example or a document names, and every module of
 * `testing`. In the checkout every module can be imported; the `exports` of a tarball name the public ones.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
const root = fileURLToPath(new URL("..", import.meta.url));
const names = readdirSync(join(root, "packages"));
const filesBelow = (folder) => readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(ts|js|md)$/.test(file))
    .map((file) => join(folder, file));
const readers = [...names.map((name) => join("packages", name, "src")), "examples", "docs"];
/** In code, and as a name in the text of a document. */
const specifier = /["`]@armoricore\/([a-z]+)\/([\w./-]+)["`]/g;
/** The modules of each package that files outside of it name. */
const namedModules = () => {
    const named = new Map(names.map((name) => [name, new Set()]));
    for (const file of readers.flatMap(filesBelow)) {
        for (const [, name = "", module = ""] of readFileSync(join(root, file), "utf8").matchAll(specifier)) {
            if (!file.startsWith(join("packages", name, "src")))
                named.get(name)?.add(module);
        }
    }
    return named;
};
const allModules = (name) => filesBelow(join("packages", name, "src"))
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
    .map((file) => file.slice(join("packages", name, "src", "/").length, -".ts".length))
    .filter((module) => module !== "index");
/** The public modules of every package, without their extension. */
export const publicModules = () => {
    const named = namedModules();
    return new Map(names.map((name) => {
        const modules = name === "testing" ? allModules(name) : [...(named.get(name) ?? [])];
        return [
            name,
            modules.filter((module) => existsSync(join(root, "packages", name, "src", `${module}.ts`))).sort(),
        ];
    }));
};
