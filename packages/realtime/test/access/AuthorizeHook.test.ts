/** The hook that asks a backend, over real HTTP. */
import { RealtimeAdmin } from "@armoricore/realtime/admin/RealtimeAdmin"
import type { RealtimeOptions } from "@armoricore/realtime/Realtime"
import * as Signature from "@armoricore/domain/Signature"
import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Redacted } from "effect"
import * as Programs from "@armoricore/testing/Programs"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type ServerResponse } from "node:http"
import { tmpdir } from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { connect, start, type TestServer } from "../support/TestServer.ts"

const secret = Redacted.make("the secret of the hook")

interface Question {
  readonly body: { readonly [field: string]: unknown; readonly topic: string }
  readonly signature: string
  readonly raw: Buffer
}

/** A backend that answers with `answer`, and the questions that it received. */
const backend = Effect.fnUntraced(function* (answer: (question: Question, response: ServerResponse) => unknown) {
  const questions: Array<Question> = []
  const server = createServer(async (request, response) => {
    const chunks: Array<Buffer> = []
    for await (const chunk of request) chunks.push(chunk)
    const raw = Buffer.concat(chunks)
    const question = {
      raw,
      body: JSON.parse(raw.toString()),
      signature: String(request.headers["armoricore-signature"]),
    }
    questions.push(question)
    const result = answer(question, response)
    if (typeof result === "number") response.writeHead(result).end()
    else if (result !== undefined) response.writeHead(200).end(JSON.stringify(result))
  })
  server.listen(0, "127.0.0.1")
  yield* Effect.promise(() => once(server, "listening"))
  const close = Effect.sync(() => {
    server.closeAllConnections()
    server.close()
  })
  yield* Effect.addFinalizer(() => close)
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { questions, close, url: `http://127.0.0.1:${port}/authorize` }
})

const options = (url: string, more: Partial<NonNullable<RealtimeOptions["authorize"]>> = {}): RealtimeOptions => ({
  access: { authorizeTopics: ["chat:room:*"], authorizeEvents: ["new_message"] },
  authorize: { url, secret, timeout: Duration.millis(300), ...more },
})

const replyOf = (response: unknown) => {
  const { content, message, reason }: Record<string, unknown> = Object(response)
  return { content, message, reason }
}

const join = Effect.fnUntraced(function* (
  server: TestServer,
  topic: string,
  params: object = {},
  user = "ann",
  roles: ReadonlyArray<string> = [],
) {
  const client = yield* connect(server, { token: yield* server.token(user, { roles }) })
  client.send("1", "1", topic, "phx_join", params)
  const [, , , , { response, status }] = yield* client.next
  const say = Effect.gen(function* () {
    client.send("1", "say", topic, "new_message", { content: "hi" })
    for (;;) {
      const [, ref, , , payload] = yield* client.next
      if (ref === "say") return replyOf(payload["response"])
    }
  })
  return { client, say, status, ...replyOf(response) }
})

describe("AUTHORIZE_URL", () => {
  it.live("decides about joins with a reason and a role, and receives a signed question", () =>
    Effect.gen(function* () {
      const hook = yield* backend(({ body }) =>
        body.topic === "chat:room:a" ? { allow: true, role: "guest" } : { allow: false, reason: "you have not paid" },
      )
      const server = yield* start(options(hook.url))
      const reader = yield* join(server, "chat:room:a", { last: 1, password: "p" }, "ann", ["editor"])
      assert.strictEqual(reader.status, "ok")
      assert.include((yield* reader.say).message, "guest")
      assert.deepInclude(yield* join(server, "chat:room:b"), {
        status: "error",
        reason: "unauthorized",
        message: "you have not paid",
      })
      assert.strictEqual((yield* join(server, "presence:room:b")).status, "ok")
      const [question] = hook.questions
      assert.deepStrictEqual(question?.body, {
        user_id: "ann",
        roles: ["editor"],
        topic: "chat:room:a",
        params: { password: "p" },
        action: "join",
      })
      const keys = new Map([["authorize", secret]])
      assert.strictEqual(
        yield* Signature.verify(keys, question?.signature, question?.raw ?? Buffer.from(""), Date.now()),
        "authorize",
      )
      assert.lengthOf(hook.questions, 2)
    }),
  )

  it.live("an answer counts for its ttl, equal questions share one request, and a kick forgets them", () =>
    Effect.gen(function* () {
      let isAllowed = true
      const hook = yield* backend(({ body }) => ({ allow: isAllowed, ttl: body.topic === "chat:room:brief" ? 0 : 60 }))
      const server = yield* start(options(hook.url))
      const all = yield* Effect.forEach(
        Array.from({ length: 5 }),
        (_, since) => join(server, "chat:room:a", { since }),
        { concurrency: 5 },
      )
      assert.isTrue(all.every(({ status }) => status === "ok"))
      assert.lengthOf(hook.questions, 1)
      yield* join(server, "chat:room:a", {}, "bob")
      yield* join(server, "chat:room:a", {}, "ann", ["editor"])
      yield* join(server, "chat:room:a", { password: "p" })
      assert.lengthOf(hook.questions, 4)
      yield* join(server, "chat:room:brief")
      yield* join(server, "chat:room:brief")
      assert.lengthOf(hook.questions, 6)

      isAllowed = false
      yield* Context.get(server.services, RealtimeAdmin).kick({ userId: "ann" }, { reason: "no", topic: "chat:room:a" })
      assert.strictEqual((yield* join(server, "chat:room:a")).reason, "unauthorized")
      assert.strictEqual((yield* join(server, "chat:room:a", {}, "bob")).status, "ok")
    }),
  )

  it.live("decides about the chosen events", () =>
    Effect.gen(function* () {
      const hook = yield* backend(({ body }) => ({
        allow: body["action"] === "join" || body["event"] !== "new_message",
        reason: "muted",
      }))
      const server = yield* start(options(hook.url))
      const { client, say } = yield* join(server, "chat:room:a")
      assert.deepInclude(yield* say, { reason: "unauthorized", message: "muted" })
      assert.deepInclude(hook.questions[1]?.body, { action: "push", event: "new_message", params: { content: "hi" } })
      client.send("1", "2", "chat:room:a", "ping", {})
      assert.strictEqual(Object((yield* client.next)[4]).status, "ok")
      assert.lengthOf(hook.questions, 2)
    }),
  )

  it.live("joins are refused with `unavailable` while the backend cannot be asked", () =>
    Effect.gen(function* () {
      const answers: Readonly<Record<string, unknown>> = {
        "chat:room:slow": undefined,
        "chat:room:signature": 401,
        "chat:room:broken": 500,
        "chat:room:page": "<html>",
        "chat:room:text": { allow: "yes" },
        // regression: an answer of any length was read.
        "chat:room:long": { allow: true, padding: "x".repeat(20_000) },
      }
      const hook = yield* backend(({ body }) => (body.topic === "chat:room:ok" ? { allow: true } : answers[body.topic]))
      const server = yield* start(options(hook.url))
      for (const topic of Object.keys(answers).slice(0, 4)) {
        const refused = yield* join(server, topic)
        assert.deepInclude(refused, { status: "error", reason: "unavailable" }, topic)
        assert.include(refused.message, "cannot be asked")
      }
      assert.strictEqual((yield* join(server, "chat:room:ok")).status, "ok")
      for (const topic of ["chat:room:text", "chat:room:long"])
        assert.strictEqual((yield* join(server, topic)).reason, "unavailable", topic)
      yield* hook.close
      // After five failures in a row the circuit is open, and joins are refused without a request.
      for (let n = 0; n < 5; n++) assert.strictEqual((yield* join(server, `chat:room:down-${n}`)).reason, "unavailable")

      const lenient = yield* start(options(hook.url, { allowOnFailure: true }))
      assert.strictEqual((yield* join(lenient, "chat:room:down")).status, "ok")
    }),
  )

  it.live("admits users to a room with members who are not on its list", () =>
    Effect.gen(function* () {
      const hook = yield* backend(({ body }) => (body["user_id"] === "ann" ? { allow: true } : 403))
      const server = yield* start({ ...options(hook.url), access: { roomPolicy: "members" } })
      assert.strictEqual((yield* join(server, "chat:room:a")).status, "ok")
      assert.strictEqual((yield* join(server, "chat:room:a", {}, "bob")).reason, "unauthorized")
    }),
  )
})

const php = Programs.requireProgram("php")
const example = fileURLToPath(new URL("../../../../examples/php/authorize.php", import.meta.url))

/** A PHP server with this script. `stop` ends it. */
const phpServer = Effect.fnUntraced(function* (script: string) {
  const env = { PATH: process.env["PATH"] ?? "", AUTHORIZE_SECRET: Redacted.value(secret) }
  const child = spawn(php.path, ["-S", "127.0.0.1:0", script], { env, stdio: ["ignore", "ignore", "pipe"] })
  const stop = Effect.callback<void>((resume) => {
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGKILL")
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => void child.kill("SIGKILL")))
  const url = yield* Effect.callback<string>((resume) => {
    let output = ""
    child.stderr.on("data", (chunk) => {
      output += String(chunk)
      const [, found] = /\((http:[^)]+)\) started/.exec(output) ?? []
      if (found !== undefined) resume(Effect.succeed(found))
    })
  })
  return { url, stop }
})

describe.skipIf(php.missing)("a backend in PHP", () => {
  it.live("allows with a role, denies with a reason, and rejects a wrong signature", () =>
    Effect.gen(function* () {
      const backend = yield* phpServer(example)
      const server = yield* start(options(backend.url, { timeout: Duration.seconds(5) }))
      const reader = yield* join(server, "chat:room:team", {}, "gus")
      assert.strictEqual(reader.status, "ok")
      assert.strictEqual((yield* reader.say).reason, "unauthorized")
      const member = yield* join(server, "chat:room:team", {}, "ada")
      assert.strictEqual((yield* member.say).content, "hi")
      const refused = yield* join(server, "chat:room:team", {}, "eve")
      assert.deepInclude(refused, { status: "error", reason: "unauthorized" })
      assert.include(refused.message, "invitation")

      const mistaken = yield* start(options(backend.url, { secret: Redacted.make("another secret") }))
      assert.strictEqual((yield* join(mistaken, "chat:room:team", {}, "ada")).reason, "unavailable")

      yield* backend.stop
      assert.strictEqual((yield* join(server, "chat:room:team", {}, "ida")).reason, "unavailable")
      // The answer of before counts for its ttl.
      assert.strictEqual((yield* join(server, "chat:room:team", {}, "ada")).status, "ok")
    }),
  )

  it.live("is refused when it answers too slowly", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(Path.join(tmpdir(), "authorize-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true })),
      )
      const script = Path.join(folder, "slow.php")
      writeFileSync(script, `<?php usleep(900_000); require ${JSON.stringify(example)};`)
      const { url } = yield* phpServer(script)
      const server = yield* start(options(url))
      assert.strictEqual((yield* join(server, "chat:room:team", {}, "ada")).reason, "unavailable")
    }),
  )
})
