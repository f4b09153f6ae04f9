/** Holds the code to the table of ARCHITECTURE.md: who may import whom. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { assert, describe, it } from "vitest";
const root = fileURLToPath(new URL("..", import.meta.url));
const packages = readdirSync(join(root, "packages"));
const sources = (name) => readdirSync(join(root, "packages", name, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join("packages", name, "src", file));
const imported = (file) => [...readFileSync(join(root, file), "utf8").matchAll(/(?:^|[\s}*])(?:from|import\(?) ?"([\w@./-]+)"/g)].map((match) => match[1] ?? "");
/** The modules of the project that are loaded with this one; an import of types alone loads nothing. */
const importedModules = (file) => [
    ...readFileSync(join(root, file), "utf8").matchAll(/^(?:import|export) (?!type )(?:[^"]*? from )?"(\.{1,2}\/[^"]+|@armoricore\/[^"]+)"/gm),
].flatMap(([, specifier = ""]) => {
    const [, name, module = "index"] = /^@armoricore\/([^/]+)(?:\/(.+))?$/.exec(specifier) ?? [];
    const target = name === undefined ? join(dirname(file), specifier) : join("packages", name, "src", `${module}.ts`);
    return existsSync(join(root, target)) ? [target] : [];
});
/** The second column of the table, by package; "every package but X" is spelled out. */
const allowed = (() => {
    const rows = [
        ...readFileSync(join(root, "ARCHITECTURE.md"), "utf8").matchAll(/^\| (`.+?`(?: `.+?`)*) \|.*\| (.+?) \|$/gm),
    ];
    const table = new Map();
    for (const [, names = "", may = ""] of rows) {
        const targets = may.startsWith("every package but")
            ? packages.filter((name) => !may.includes(name))
            : may.split(",").map((name) => name.trim());
        for (const name of names.replaceAll("`", "").split(" ")) {
            if (packages.includes(name))
                table.set(name, new Set(targets));
        }
    }
    return table;
})();
const services = new Set(["media", "notify", "ai", "realtime", "api", "worker"]);
const adapterFolders = /^@armoricore\/(bus|state|storage|history)\/(memory|embedded|nats|rabbitmq|postgres|local|s3)\//;
describe("imports", () => {
    it("every package stands in the table", () => {
        assert.deepStrictEqual([...allowed.keys()].sort(), [...packages].sort());
    });
    for (const name of packages) {
        it(`${name} imports only what its row allows`, () => {
            const broken = [];
            for (const file of sources(name)) {
                for (const specifier of imported(file)) {
                    const [, target] = /^@armoricore\/([^/]+)/.exec(specifier) ?? [];
                    if (target !== undefined && target !== name && allowed.get(name)?.has(target) !== true) {
                        broken.push(`${file} imports ${specifier}`);
                    }
                    if (services.has(name) && adapterFolders.test(specifier)) {
                        broken.push(`${file} imports the adapter ${specifier}; a service knows ports only`);
                    }
                    if (specifier.startsWith("../../")) {
                        const depth = file.split("/").length - 4;
                        if ((specifier.match(/\.\.\//g)?.length ?? 0) > depth)
                            broken.push(`${file} reaches out of its package: ${specifier}`);
                    }
                }
            }
            assert.deepStrictEqual(broken, []);
        });
        it(`${name} declares what it imports`, () => {
            const declared = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"));
            const { dependencies, devDependencies, optionalDependencies, peerDependencies } = declared;
            const names = new Set(Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }));
            // The build bundles the pages of the console with their libraries.
            const bundled = new Set(Object.keys({ ...devDependencies }));
            const missing = new Set(sources(name)
                .flatMap((file) => imported(file).filter((specifier) => !file.includes("/src/console/") || !bundled.has(specifier)))
                .filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:"))
                .map((specifier) => specifier
                .split("/")
                .slice(0, specifier.startsWith("@") ? 2 : 1)
                .join("/"))
                .filter((dependency) => dependency !== `@armoricore/${name}` && !names.has(dependency)));
            assert.deepStrictEqual([...missing], []);
        });
    }
    it("no module imports itself through others", () => {
        const cycles = [];
        const done = new Set();
        const visit = (file, path) => {
            const at = path.indexOf(file);
            if (at !== -1)
                cycles.push([...path.slice(at), file].join(" -> "));
            if (at !== -1 || done.has(file))
                return;
            for (const next of importedModules(file))
                visit(next, [...path, file]);
            done.add(file);
        };
        for (const file of packages.flatMap(sources))
            visit(file, []);
        assert.deepStrictEqual(cycles, []);
    });
    it("domain does no I/O", () => {
        const node = sources("domain").flatMap((file) => imported(file).filter((specifier) => specifier.startsWith("node:")));
        assert.deepStrictEqual(node, []);
    });
});
