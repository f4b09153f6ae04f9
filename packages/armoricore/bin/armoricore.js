#!/usr/bin/env -S node --max-semi-space-size=8
/**
 * The entry that any Node can read: it says in one sentence when Node is too old, and where the installation brought a
 * newer Node of its own (Linux), it goes on with that one.
 *
 * The flag in the first line holds V8's nursery to 8 MB a half. By default it grows to many times that while thousands of
 * sockets connect, and never shrinks: idle sockets then cost about twice the memory. V8 reads the limit when the
 * process starts, so it cannot be set from here; without it everything works the same.
 */
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { constants } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const needed = [22, 19]
const flags = ["--max-semi-space-size=8"]
const inOwnNode = "ARMORICORE_IN_OWN_NODE"

const isNewEnough = () => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  return major > needed[0] || (major === needed[0] && minor >= needed[1])
}

/** The Node that npm's optional dependency put beside the installed packages. */
const ownNode = () => {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", ".bin", "node")
    if (existsSync(candidate)) return candidate
    if (dirname(folder) === folder) return undefined
  }
}

const goOnWith = (node) => {
  // The channel ends when this process is killed, so that the program never outlives the pid that was started.
  const child = spawn(node, [...flags, ...process.argv.slice(1)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, [inOwnNode]: "1" },
  })
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => child.kill(signal))
  child.on("error", () => tooOld())
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
}

const tooOld = () => {
  process.stderr.write(
    `armoricore needs Node ${needed.join(".")} or newer and this is ${process.versions.node}; ` +
      "install a newer Node, or on Linux x64 or arm64 run `npm ci` with optional dependencies, which brings one.\n",
  )
  process.exit(1)
}

if (isNewEnough()) {
  if (process.env[inOwnNode] === "1" && process.channel) {
    delete process.env[inOwnNode]
    process.on("disconnect", () => process.exit(1))
    process.channel.unref()
  }
  const { main } = await import("@armoricore/armoricore/main")
  main()
} else {
  const node = process.env[inOwnNode] === "1" ? undefined : ownNode()
  if (node === undefined) tooOld()
  else goOnWith(node)
}
