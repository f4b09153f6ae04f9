/** Packed packages are JavaScript with declarations. Installed outside the checkout, they run a pipeline in memory. */
import { execFileSync, spawnSync } from "node:child_process"
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  mkdirSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const root = fileURLToPath(new URL("..", import.meta.url))
const packed = [
  "domain",
  "embedded",
  "bus",
  "state",
  "history",
  "storage",
  "auth",
  "worker",
  "realtime",
  "client",
  "operator",
  "testing",
]

/** The example of the documentation, compiled and run outside. */
const program = `
import { event } from "@armoricore/bus/Address"
import { EventBus, type ReceivedMessage } from "@armoricore/bus/EventBus"
import { Testing } from "@armoricore/testing"
import { emit, on, Worker } from "@armoricore/worker"
import { Deferred, Effect } from "effect"

const main = Effect.gen(function* () {
  const bus = yield* EventBus
  const received = yield* Deferred.make<ReceivedMessage>()
  yield* bus.subscribe(event("media.playable"), (message) => Deferred.doneUnsafe(received, Effect.succeed(message)))
  yield* Worker.run("media", [
    on("media.uploaded", {
      handle: ({ payload: { media_id, user_id } }) =>
        Effect.succeed([emit("media.playable", { media_id, user_id, playback_urls: { hls: "h", mp4: {} } })]),
      onFailure: () => [],
    }),
  ])
  const body = new TextEncoder().encode(JSON.stringify({
    event_type: "media.uploaded", event_id: crypto.randomUUID(), timestamp: new Date().toISOString(),
    source: "php-backend", payload: { media_id: 7, user_id: "u", file_path: "s3://media/a.mp4" },
  }))
  yield* bus.publish({ address: event("media.uploaded"), id: "1", body })
  const message = yield* Deferred.await(received)
  console.log(JSON.parse(new TextDecoder().decode(message.body)).payload.media_id)
})
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(Testing.layer)))
`

/** regression: the tarball did not export the client, which documents name and no package imports. */
const client = `
import { channel, type SocketLike } from "@armoricore/client"

declare const socket: SocketLike
const media = channel(socket, "media:42", {})
media.onJoin(({ status }) => console.log(status.length))
`

const pages = `
import { ConsoleServer } from "@armoricore/operator"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect } from "effect"
import { createServer } from "node:http"

const main = Effect.gen(function* () {
  const { handleRequest } = yield* ConsoleServer.make()
  const server = createServer(handleRequest).listen(0, "127.0.0.1")
  yield* Effect.promise(() => new Promise((resolve) => server.on("listening", resolve)))
  const at = "http://127.0.0.1:" + server.address().port
  const get = (path) => Effect.promise(() => fetch(at + path).then(async (answer) => [answer.status, await answer.text()]))
  const [status, page] = yield* get("/console")
  const [script] = yield* get(/src="([^"]+[.]js)"/.exec(page)?.[1] ?? "/console/none")
  console.log(status, script)
  server.close().closeAllConnections()
})
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(NodeServices.layer)))
`

/** Links the checkout's libraries: this test covers our packages, not the registry. */
const linkLibraries = (modules: string, without: ReadonlyArray<string> = []): void => {
  mkdirSync(modules, { recursive: true })
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name !== "@armoricore" && !name.startsWith(".") && !without.includes(name))
      symlinkSync(join(root, "node_modules", name), join(modules, name))
  }
}

describe("npm pack", () => {
  const folder = mkdtempSync(join(tmpdir(), "armoricore-packed-"))
  const copy = join(folder, "checkout")
  const outside = join(folder, "outside")

  beforeAll(() => {
    // The build writes into the packages, and other tests read those of the checkout.
    mkdirSync(copy)
    for (const name of [
      "package.json",
      "tsconfig.json",
      "tsconfig.build.json",
      "LICENSE",
      "scripts",
      "types",
      "examples",
      "docs",
    ]) {
      cpSync(join(root, name), join(copy, name), { recursive: true })
    }
    for (const name of readdirSync(join(root, "packages"))) {
      cpSync(join(root, "packages", name), join(copy, "packages", name), {
        recursive: true,
        filter: (path) => !/[/\\](dist|node_modules|test|operator[/\\]console)$/.test(path),
      })
    }
    linkLibraries(join(copy, "node_modules"))
    mkdirSync(join(copy, "node_modules", "@armoricore"))
    for (const name of readdirSync(join(copy, "packages"))) {
      symlinkSync(join(copy, "packages", name), join(copy, "node_modules", "@armoricore", name))
    }
    execFileSync(process.execPath, ["scripts/build.ts"], { cwd: copy, stdio: "pipe" })

    const modules = join(outside, "node_modules")
    mkdirSync(join(modules, "@armoricore"), { recursive: true })
    const tarballs = execFileSync(process.execPath, ["scripts/pack.ts", "--destination", folder, ...packed], {
      cwd: copy,
      encoding: "utf8",
    })
      .trim()
      .split("\n")
    for (const [index, tarball] of tarballs.entries()) {
      const target = join(modules, "@armoricore", packed[index] ?? "")
      mkdirSync(target)
      execFileSync("tar", ["-xzf", tarball, "--strip-components=1"], { cwd: target })
    }
    // An installed package has no tool that builds the console, and the S3 server of the tests is optional.
    linkLibraries(modules, ["vite", "s3rver", "effect", "@effect"])
    // Another 4.x of effect than the checkout's, and the only copy: the packages take it as a peer.
    for (const name of ["effect", "@effect/platform-node", "@effect/platform-node-shared", "@effect/sql-pg"]) {
      mkdirSync(join(modules, name), { recursive: true })
      const filter = (path: string) => !/[/\\](src|ai-docs)$|\.map$/.test(path)
      cpSync(join(root, "node_modules", name), join(modules, name), { recursive: true, filter })
    }
    const effect = join(modules, "effect", "package.json")
    writeFileSync(effect, readFileSync(effect, "utf8").replace(/"version": "[^"]+"/, '"version": "4.99.0"'))
    writeFileSync(join(outside, "package.json"), JSON.stringify({ type: "module" }))
    writeFileSync(join(outside, "pipeline.ts"), program)
    writeFileSync(join(outside, "tickets.ts"), readFileSync(join(root, "examples/layers/Tickets.ts"), "utf8"))
    writeFileSync(join(outside, "client.ts"), client)
    writeFileSync(join(outside, "pages.js"), pages)
    const compilerOptions = {
      strict: true,
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
      module: "nodenext",
      target: "es2024",
      lib: ["es2024", "esnext.disposable", "esnext.collection", "dom"],
      types: ["node"],
    }
    writeFileSync(
      join(outside, "tsconfig.json"),
      JSON.stringify({ compilerOptions, files: ["pipeline.ts", "tickets.ts", "client.ts"] }),
    )
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  for (const name of packed) {
    it(`${name} holds JavaScript, declarations and no TypeScript`, () => {
      const files = readdirSync(join(outside, "node_modules", "@armoricore", name), {
        recursive: true,
        encoding: "utf8",
      })
      assert.include(files, "dist/index.js")
      assert.include(files, "dist/index.d.ts")
      assert.deepStrictEqual(
        files.filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts")),
        [],
      )
    })

    it(`${name} has a README, the LICENSE, public modules by name, and effect as a peer`, () => {
      const installed = join(outside, "node_modules", "@armoricore", name)
      const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"))
      assert.include(readFileSync(join(installed, "README.md"), "utf8"), manifest.name)
      assert.strictEqual(readFileSync(join(installed, "LICENSE"), "utf8"), readFileSync(join(root, "LICENSE"), "utf8"))
      for (const [path, target] of Object.entries<{ readonly types: string; readonly default: string } | string>(
        manifest.exports,
      )) {
        assert.notInclude(path, "*")
        for (const file of typeof target === "string" ? [target] : [target.types, target.default])
          assert.isTrue(existsSync(join(installed, file)), file)
      }
      assert.isFalse(manifest.sideEffects)
      assert.isUndefined(manifest.scripts)
      assert.notProperty(manifest.dependencies ?? {}, "effect")
      assert.notProperty(manifest.dependencies ?? {}, "s3rver")
      // The client runs in pages, without Effect.
      if (name === "client") assert.isTrue(existsSync(join(installed, "bundle", "armoricore-client.js")))
      else assert.strictEqual(manifest.peerDependencies.effect, "^4.1.0")
    })

    it(`${name} keeps its manifest in the checkout`, () => {
      assert.strictEqual(
        readFileSync(join(copy, "packages", name, "package.json"), "utf8"),
        readFileSync(join(root, "packages", name, "package.json"), "utf8"),
      )
    })
  }

  it("a project outside the repository compiles in strict mode without skipLibCheck", () => {
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc")
    const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", "tsconfig.json"], {
      cwd: outside,
      encoding: "utf8",
    })
    assert.strictEqual(status, 0, stdout)
  }, 300_000)

  it("the checkout pins the lowest effect that the packages accept", () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    assert.strictEqual(dependencies.effect, "4.1.0")
  })

  it("a pipeline runs in memory outside the checkout", () => {
    const printed = execFileSync(process.execPath, ["pipeline.js"], { cwd: outside, encoding: "utf8" })
    assert.strictEqual(printed.trim(), "7")
  })

  it("the console server works outside the checkout, without a build tool", () => {
    const printed = execFileSync(process.execPath, ["pages.js"], { cwd: outside, encoding: "utf8" })
    assert.strictEqual(printed.trim(), "200 200")
  })
})
