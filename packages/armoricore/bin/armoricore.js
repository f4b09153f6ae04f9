#!/usr/bin/env -S node --max-semi-space-size=8
/**
 * The entry point, which any Node can parse. If Node is too old, it runs the newer Node of the installation (Linux), or
 * prints one sentence.
 *
 * The flag in the first line limits the young generation of V8 to semi-spaces of 8 MB. By default it grows to many times
 * that size while thousands of sockets connect, and never shrinks, which doubles the memory of idle sockets. V8 reads the
 * limit at startup, so it cannot be set here. The flag affects memory only.
 */
import { spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import module from "node:module"
import { constants } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { resolveOnce } from "./resolve.js"

const minVersion = [22, 19]
const flags = ["--max-semi-space-size=8"]
const relaunchedVariable = "ARMORICORE_IN_OWN_NODE"

const isNewEnough = () => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  return major > minVersion[0] || (major === minVersion[0] && minor >= minVersion[1])
}

/** The Node that the optional npm dependency installed, in a node_modules folder above this file. */
const bundledNode = () => {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", ".bin", "node")
    if (existsSync(candidate)) return candidate
    if (dirname(folder) === folder) return undefined
  }
}

const relaunchWith = (node) => {
  // The IPC channel closes if this process is killed; the program then drains and exits too.
  const child = spawn(node, [...flags, ...process.argv.slice(1)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, [relaunchedVariable]: "1" },
  })
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => child.kill(signal))
  child.on("error", () => failTooOld())
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
}

const failTooOld = () => {
  process.stderr.write(
    `armoricore needs Node ${minVersion.join(".")} or newer and this is ${process.versions.node}; ` +
      "install a newer Node, or on Linux x64 or arm64 run `npm ci` with optional dependencies, which brings one.\n",
  )
  process.exit(1)
}

/** For scripts that ask for the version: answered without loading the program. */
const printVersion = () => {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"))
  process.stdout.write(`armoricore v${version}\n`)
}

if (process.argv.length === 3 && process.argv[2] === "--version") {
  printVersion()
} else if (isNewEnough()) {
  if (process.env[relaunchedVariable] === "1" && process.channel) {
    delete process.env[relaunchedVariable]
    process.on("disconnect", () => process.kill(process.pid, "SIGTERM"))
    process.channel.unref()
  }
  // Compiled modules are stored in the folder for temporary files, so that a second start needs half the time.
  module.enableCompileCache()
  resolveOnce()
  const { main } = await import("@armoricore/armoricore/main")
  main()
} else {
  const node = process.env[relaunchedVariable] === "1" ? undefined : bundledNode()
  if (node === undefined) failTooOld()
  else relaunchWith(node)
}
