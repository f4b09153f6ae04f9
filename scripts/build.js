/**
 * `npm run build`: JavaScript with declarations into `packages/<name>/dist`, the pages of the console and the bundle of the client, for packing. Nothing in the checkout needs
 * it; Node strips no types below node_modules, so what others install must be JavaScript.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
const root = fileURLToPath(new URL("..", import.meta.url));
const out = join(root, "dist");
rmSync(out, { recursive: true, force: true });
const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
const { status } = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
if (status !== 0)
    process.exit(status ?? 1);
for (const name of readdirSync(join(root, "packages"))) {
    const built = join(out, "packages", name, "src");
    if (!existsSync(built))
        continue;
    const target = join(root, "packages", name, "dist");
    rmSync(target, { recursive: true, force: true });
    cpSync(built, target, { recursive: true });
}
rmSync(out, { recursive: true, force: true });
for (const script of ["packages/operator/scripts/build-console.ts", "packages/client/scripts/build-bundle.ts"]) {
    const built = spawnSync(process.execPath, [script], { cwd: root, stdio: "inherit" });
    if (built.status !== 0)
        process.exit(built.status ?? 1);
}
