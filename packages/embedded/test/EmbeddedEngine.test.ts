import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { eventually } from "@armoricore/testing/Eventually"
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import * as DataFolder from "../src/DataFolder.ts"
import { EmbeddedEngine, layerClient, layerOwner, layerShared } from "../src/EmbeddedEngine.ts"
import { encode } from "../src/Protocol.ts"
import { path as child } from "./support/EngineProcess.ts"
import type { operations } from "./support/TallyOperations.ts"

const url = new URL("./support/TallyOperations.ts", import.meta.url)
const tally = Effect.gen(function* () {
  return yield* (yield* EmbeddedEngine).module<typeof operations>({ name: "tally", url })
})

const newFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "engine-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true })),
)

const run = (role: string, folder: string, onLine: (line: string) => void = () => {}) => {
  const process_ = spawn(process.execPath, [child, role, folder], { stdio: ["ignore", "pipe", "inherit"] })
  let rest = ""
  process_.stdout.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n")
    rest = lines.pop() ?? ""
    lines.forEach(onLine)
  })
  return {
    process: process_,
    closed: Effect.callback<number | null>((done) => void process_.once("close", (code) => done(Effect.succeed(code)))),
  }
}

it.live("keeps what it acknowledged when the owner is opened again", () =>
  Effect.gen(function* () {
    const folder = yield* newFolder
    const first = yield* Effect.provide(
      Effect.flatMap(tally, ({ call }) =>
        Effect.all([call("add", { text: "a" }), call("add", { text: "b" })], { concurrency: 2 }),
      ),
      layerOwner({ folder }),
    )
    assert.deepStrictEqual(first, [1, 2])
    const texts = yield* Effect.provide(
      Effect.flatMap(tally, ({ call }) => call("texts", undefined)),
      layerOwner({ folder }),
    )
    assert.deepStrictEqual(texts, ["a", "b"])
  }),
)

it.live("many calls of one turn are each worked on once, in their order, though they go in several batches", () =>
  Effect.gen(function* () {
    const { call } = yield* tally
    const texts = Array.from({ length: 1_000 }, (_, index) => String(index))
    const answers = yield* Effect.forEach(texts, (text) => call("add", { text }), { concurrency: "unbounded" })
    assert.deepStrictEqual(
      answers,
      texts.map((_, index) => index + 1),
    )
    assert.deepStrictEqual(yield* call("texts", undefined), texts)
  }).pipe((test) => Effect.flatMap(newFolder, (folder) => Effect.provide(test, layerOwner({ folder })))),
)

it.live("loses nothing acknowledged when the owner is killed with kill -9", () =>
  Effect.gen(function* () {
    const folder = yield* newFolder
    const acknowledged: Array<string> = []
    const enough = yield* Deferred.make<void>()
    const owner = run("owner", folder, (line) => {
      if (acknowledged.push(line) === 500) Deferred.doneUnsafe(enough, Effect.void)
    })
    yield* Deferred.await(enough)
    owner.process.kill("SIGKILL")
    yield* owner.closed
    const texts = yield* Effect.provide(
      Effect.flatMap(tally, ({ call }) => call("texts", undefined)),
      layerOwner({ folder }),
    )
    assert.isAtLeast(acknowledged.length, 500)
    const retained = new Set(texts)
    assert.deepStrictEqual(
      acknowledged.filter((text) => !retained.has(text)),
      [],
    )
  }),
)

it.live("an operation that throws is undone alone, with its notices", () =>
  Effect.gen(function* () {
    const folder = yield* newFolder
    yield* Effect.gen(function* () {
      const { call, subscribe } = yield* tally
      const received: Array<string> = []
      yield* subscribe("added.", (topic) => received.push(topic))
      const exits = yield* Effect.all(
        [
          Effect.exit(call("add", { text: "a" })),
          Effect.exit(call("addThenThrow", { text: "b" })),
          Effect.exit(call("add", { text: "c" })),
        ],
        { concurrency: 3 },
      )
      assert.deepStrictEqual(
        exits.map(({ _tag }) => _tag),
        ["Success", "Failure", "Success"],
      )
      assert.deepStrictEqual(yield* call("texts", undefined), ["a", "c"])
      assert.deepStrictEqual(received, ["added.a", "added.c"])
    }).pipe(Effect.provide(layerOwner({ folder })))
  }),
)

it.live("names the current owner and the remedy to a second owner", () =>
  Effect.gen(function* () {
    const folder = yield* newFolder
    const error = yield* Effect.provide(
      Effect.flip(Effect.provide(tally, layerOwner({ folder }))),
      layerOwner({ folder }),
    )
    assert.strictEqual(error._tag, "ConfigurationError")
    assert.include(error.message, `process ${process.pid}`)
    assert.include(error.message, "MESSAGE_BUS_URL")
  }),
)

it.live("another process shares calls and notices through the socket, open to this user only", () =>
  Effect.gen(function* () {
    const folder = yield* newFolder
    yield* Effect.gen(function* () {
      const { call, subscribe } = yield* tally
      const received = yield* Deferred.make<string>()
      yield* subscribe("added.", (topic) => Deferred.doneUnsafe(received, Effect.succeed(topic)))
      const client = run("client", folder)
      assert.strictEqual(yield* client.closed, 0)
      assert.strictEqual(yield* Deferred.await(received), "added.from-client")
      assert.deepStrictEqual(yield* call("texts", undefined), ["from-client"])
      assert.strictEqual(statSync(join(folder, "engine.sock")).mode & 0o777, 0o600)
    }).pipe(Effect.provide(layerOwner({ folder })))
  }),
)

it.live("layerShared owns a free folder, is a client of an owned one, and large values pass the socket unchanged", () =>
  Effect.gen(function* () {
    const folder = yield* newFolder
    yield* Effect.gen(function* () {
      assert.strictEqual((yield* EmbeddedEngine).role, "owner")
      yield* Effect.gen(function* () {
        assert.strictEqual((yield* EmbeddedEngine).role, "client")
        const body = Uint8Array.from({ length: 3_000_000 }, (_, index) => index % 251)
        const { call } = yield* tally
        const back = yield* Effect.all([call("bytes", { body }), call("add", { text: "x" }), call("bytes", { body })], {
          concurrency: 3,
        })
        assert.deepStrictEqual(Buffer.compare(back[0], body), 0)
        assert.deepStrictEqual(Buffer.compare(back[2], body), 0)
      }).pipe(Effect.provide(layerShared({ folder })))
    }).pipe(Effect.provide(layerShared({ folder })))
  }),
)

it.live("a client reports that no process owns the folder, and connects to a new owner", () =>
  Effect.gen(function* () {
    const folder = yield* newFolder
    const error = yield* Effect.flip(Effect.provide(tally, layerClient({ folder })))
    assert.include(error.message, folder)
    const owner = run("owner", folder)
    yield* Effect.addFinalizer(() => Effect.sync(() => owner.process.kill("SIGKILL")))
    const texts = Effect.retry(
      Effect.gen(function* () {
        const { call } = yield* tally
        owner.process.kill("SIGKILL")
        yield* owner.closed
        assert.strictEqual((yield* Effect.flip(call("texts", undefined)))._tag, "TransientError")
        return yield* Effect.provide(
          Effect.eventually(Effect.andThen(Effect.sleep("50 millis"), call("texts", undefined))),
          layerOwner({ folder }),
        )
      }).pipe(Effect.provide(layerClient({ folder }))),
      { while: () => owner.process.exitCode === null && !owner.process.killed },
    )
    assert.isArray(yield* texts)
  }),
)

it.live("an owner that is slow to end takes nothing of the next one along", () =>
  Effect.gen(function* () {
    const folder = yield* newFolder
    const owner = yield* Scope.make()
    yield* Layer.buildWithScope(layerOwner({ folder }), owner)
    // A process that shares the folder and does not notice that its owner ends.
    const socket = DataFolder.readOwnerFile(folder)?.socket ?? ""
    const slow = connect({ path: socket, allowHalfOpen: true })
    slow.write(encode([[1, "", "listen", { name: "tally/", exact: false }]]))
    yield* Effect.promise(() => once(slow, "data"))
    const ending = yield* Effect.forkChild(Scope.close(owner, Exit.void))
    yield* Effect.gen(function* () {
      yield* Effect.sync(() => slow.end())
      yield* Fiber.join(ending)
      assert.isTrue(existsSync(DataFolder.readOwnerFile(folder)?.socket ?? ""))
      yield* Effect.provide(Effect.asVoid(EmbeddedEngine), layerClient({ folder }))
    }).pipe(Effect.provide(Layer.fresh(layerOwner({ folder }))))
  }),
)

it.live("no call of a client is lost when the owner ends: it is answered, or waits until the client is the owner", () =>
  Effect.gen(function* () {
    // regression: of two commands on one data folder, the second lost its call when the first ended
    const folder = yield* newFolder
    const owner = yield* Scope.make()
    yield* Layer.buildWithScope(layerShared({ folder }), owner)
    yield* Effect.gen(function* () {
      const { call } = yield* tally
      const texts = Array.from({ length: 400 }, (_, index) => String(index))
      const calls = yield* Effect.forkChild(
        Effect.forEach(texts, (text) => Effect.andThen(Effect.yieldNow, call("add", { text })), { concurrency: 20 }),
      )
      yield* call("add", { text: "first" })
      yield* Scope.close(owner, Exit.void)
      yield* Fiber.join(calls)
      assert.sameMembers([...(yield* call("texts", undefined))], ["first", ...texts])
      assert.strictEqual(DataFolder.readOwnerFile(folder)?.pid, process.pid)
    }).pipe(Effect.provide(Layer.fresh(layerShared({ folder }))))
  }),
)

it.live("a repeatable call is made again at the next owner when its own dies, another fails", () =>
  Effect.gen(function* () {
    const folder = yield* newFolder
    const owner = run("owner", folder)
    yield* Effect.addFinalizer(() => Effect.sync(() => owner.process.kill("SIGKILL")))
    yield* eventually(
      Effect.sync(() => DataFolder.readOwnerFile(folder)),
      (note) => note !== undefined,
    )
    yield* Effect.gen(function* () {
      assert.strictEqual((yield* EmbeddedEngine).role, "client")
      const { call } = yield* tally
      owner.process.kill("SIGSTOP")
      const read = yield* Effect.forkChild(call("texts", undefined, { isRepeatable: true }), { startImmediately: true })
      const write = yield* Effect.forkChild(call("add", { text: "x" }), { startImmediately: true })
      owner.process.kill("SIGKILL")
      assert.isArray(yield* Fiber.join(read))
      assert.strictEqual((yield* Effect.flip(Fiber.join(write)))._tag, "TransientError")
    }).pipe(Effect.provide(layerShared({ folder })))
  }),
)

it.live("a folder whose path is too long for a socket is shared all the same", () =>
  Effect.gen(function* () {
    const folder = join(yield* newFolder, "x".repeat(120))
    yield* Effect.gen(function* () {
      assert.notInclude(DataFolder.readOwnerFile(folder)?.socket ?? "", folder)
      const { call } = yield* tally
      assert.strictEqual(yield* call("add", { text: "far" }), 1)
    }).pipe(Effect.provide(layerClient({ folder })), Effect.provide(layerOwner({ folder })))
  }),
)

it.live("a folder of an earlier version is migrated, one of a later version is refused", () =>
  Effect.gen(function* () {
    const folder = yield* newFolder
    const open = (file: string) =>
      Effect.flatMap(EmbeddedEngine, (engine) =>
        engine.module<typeof operations>({ name: "tally", url: new URL(file, import.meta.url) }),
      ).pipe(
        Effect.flatMap(({ call }) => Effect.andThen(call("add", { text: file }), call("texts", undefined))),
        Effect.provide(layerOwner({ folder })),
      )
    yield* open("./support/TallyOperations.ts")
    assert.lengthOf(yield* open("./support/NewerTallyOperations.ts"), 2)
    const error = yield* Effect.flip(open("./support/TallyOperations.ts"))
    assert.include(error.message, "newer version")
  }),
)

it.live("a folder below a file, or that is a file, is refused in one sentence", () =>
  // regression: the message was a flattened stack trace
  Effect.gen(function* () {
    const folder = yield* newFolder
    const file = join(folder, "file")
    writeFileSync(file, "")
    for (const bad of [file, join(file, "below"), join(file, "below", "more")]) {
      const error = yield* Effect.flip(Layer.build(layerOwner({ folder: bad })))
      assert(error._tag === "ConfigurationError", bad)
      assert.strictEqual(error.setting, "ARMORICORE_DATA_DIR")
      assert.match(error.message, /^The data folder \S+ cannot be created: a part of its path is a file$/)
    }
  }),
)
