/** Packed packages are JavaScript with declarations. Installed outside the checkout, they run a pipeline in memory. */
import { execFileSync } from "node:child_process"
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
  "operator",
  "testing",
]

const program = `
import { event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { Testing } from "@armoricore/testing"
import { emit, on, Worker } from "@armoricore/worker"
import { Deferred, Effect } from "effect"

const main = Effect.gen(function* () {
  const bus = yield* EventBus
  const received = yield* Deferred.make()
  yield* bus.subscribe(event("media.playable"), (message) => Deferred.doneUnsafe(received, Effect.succeed(message)))
  yield* Worker.run("media", [
    on("media.uploaded", {
      handle: ({ payload }) =>
        Effect.succeed([emit("media.playable", { ...payload, playback_urls: { hls: "h", mp4: {} } })]),
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

const pages = `
import { ConsoleServer } from "@armoricore/operator"
import { NodeServices } from "@effect/platform-node"
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
    // The build changes manifests, and other tests read those of the checkout.
    mkdirSync(copy)
    for (const name of ["package.json", "tsconfig.json", "tsconfig.build.json", "scripts", "types"]) {
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
    for (const name of packed) {
      const [tarball] = JSON.parse(
        execFileSync("npm", ["pack", "--json", "--pack-destination", folder], {
          cwd: join(copy, "packages", name),
          encoding: "utf8",
          stdio: ["ignore", "pipe", "pipe"],
        }),
      ) as ReadonlyArray<{ readonly filename: string }>
      assert.isDefined(tarball)
      mkdirSync(join(modules, "@armoricore", name))
      execFileSync("tar", ["-xzf", join(folder, tarball.filename), "--strip-components=1"], {
        cwd: join(modules, "@armoricore", name),
      })
    }
    // An installed package has no tool that builds the console.
    linkLibraries(modules, ["vite"])
    writeFileSync(join(outside, "package.json"), JSON.stringify({ type: "module" }))
    writeFileSync(join(outside, "pipeline.js"), program)
    writeFileSync(join(outside, "pages.js"), pages)
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

    it(`${name} restores its manifest`, () => {
      const manifest = join(copy, "packages", name, "package.json")
      assert.strictEqual(
        readFileSync(manifest, "utf8"),
        readFileSync(join(root, "packages", name, "package.json"), "utf8"),
      )
      assert.isFalse(existsSync(join(copy, "packages", name, "package.checkout.json")))
    })
  }

  it("a pipeline runs in memory outside the checkout", () => {
    const printed = execFileSync(process.execPath, ["pipeline.js"], { cwd: outside, encoding: "utf8" })
    assert.strictEqual(printed.trim(), "7")
  })

  it("the console server works outside the checkout, without a build tool", () => {
    const printed = execFileSync(process.execPath, ["pages.js"], { cwd: outside, encoding: "utf8" })
    assert.strictEqual(printed.trim(), "200 200")
  })
})
