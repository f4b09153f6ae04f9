/**
 * Runs after `npm ci`: removes what no one reads from the Node that npm installed. Its headers are for compiling addons, and
 * are 67 of 189 MB.
 */
import { rmSync } from "node:fs"

for (const architecture of ["x64", "arm64"]) {
  const headers = new URL(`../node_modules/node-linux-${architecture}/include`, import.meta.url)
  rmSync(headers, { recursive: true, force: true })
}
