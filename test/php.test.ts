/** The examples for PHP backends, run by php-cli against the real program and a real NATS server. */
import { event } from "@armoricore/bus/Address"
import { EventBus, type Delivery } from "@armoricore/bus/EventBus"
import * as NatsBus from "@armoricore/bus/nats/NatsBus"
import * as EventCodec from "@armoricore/domain/EventCodec"
import * as Signature from "@armoricore/domain/Signature"
import * as GeneratedCertificate from "@armoricore/testing/GeneratedCertificate"
import * as NatsServer from "@armoricore/testing/NatsServer"
import * as Programs from "@armoricore/testing/Programs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Queue, Redacted, Schedule, type Scope } from "effect"
import { execFile, execFileSync, spawn } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { connect, createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as ProgramProcess from "../packages/armoricore/test/support/ProgramProcess.ts"

const php = Programs.requireProgram("php")
const nats = Programs.requireProgram("nats-server")
const phpunit = Programs.requireProgram("phpunit")
const openssl = Programs.requireProgram("openssl")
const examples = fileURLToPath(new URL("../examples/php", import.meta.url))
const client = fileURLToPath(new URL("../clients/php", import.meta.url))
const autoload = `require "${client}/autoload.php";`

/** Runs the client's own tests; those that need a server find it in the environment. */
const runPhpunit = (env: Readonly<Record<string, string>>, filter = "") =>
  Effect.callback<string, Error>((resume) => {
    const child = execFile(
      phpunit.path,
      ["-c", "phpunit.xml.dist", ...(filter === "" ? [] : ["--filter", filter, "--fail-on-skipped"])],
      { cwd: client, env: { PATH: process.env["PATH"] ?? "", TMPDIR: tmpdir(), ...env }, timeout: 60_000 },
      (error, stdout) =>
        resume(error === null ? Effect.succeed(stdout) : Effect.fail(new Error(`${error.message}\n${stdout}`))),
    )
    return Effect.sync(() => void child.kill())
  })

/** Debian ships this extension in a separate package. */
const hasSqlite = !php.missing && execFileSync(php.path, ["-m"], { encoding: "utf8" }).includes("pdo_sqlite")
if (!php.missing && !hasSqlite) {
  if (process.env["CI"] === "true") throw new Error("PHP's pdo_sqlite is not installed; CI leaves no test out")
  Programs.recordSkip("PHP's pdo_sqlite is not installed")
}

/** The output of a script; anything on its error output fails the test. */
const run = (script: string, args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
  Effect.callback<string, Error>((resume) => {
    const child = execFile(
      php.path,
      ["-d", "display_errors=stderr", "-d", "error_reporting=-1", ...(script === "-r" ? ["-r"] : [script]), ...args],
      { cwd: examples, env: { PATH: process.env["PATH"] ?? "", ...env }, timeout: 30_000 },
      (error, stdout, stderr) =>
        resume(error === null ? Effect.succeed(stdout.trim()) : Effect.fail(new Error(`${error.message}\n${stderr}`))),
    )
    return Effect.sync(() => void child.kill())
  })

const until = <E>(condition: Effect.Effect<boolean, E>) =>
  condition.pipe(
    Effect.repeat({ until: (met) => met, schedule: Schedule.spaced("50 millis") }),
    Effect.timeout("30 seconds"),
  )

const traceId = "0af7651916cd43dd8448eb211c80319c"
const uuid = "3f0c2d6e-6b0f-4d27-9d0c-1a2b3c4d5e6f"

describe.skipIf(php.missing)("PHP", () => {
  it.live("a signature equals the test vector of the contract", () =>
    Effect.gen(function* () {
      const code = `${autoload} echo Armoricore\\Signature::of("k", "secret-1", '{"event_type":"media.uploaded"}', 1700000000);`
      assert.strictEqual(
        yield* run("-r", [code]),
        "keyid=k,t=1700000000,v1=f594161759d38134938897a86dbf16fc38341e5e5aa1fba48f8691c9d9212106",
      )
    }),
  )

  it.live(
    "a backend uploads, publishes over HTTP and receives the result by a signed webhook",
    () =>
      Effect.gen(function* () {
        const folder = yield* ProgramProcess.temporaryDirectory
        const inbox = join(folder, "inbox")
        mkdirSync(inbox)
        const port = yield* freePort
        const receiver = spawn(php.path, ["-S", `127.0.0.1:${port}`, "webhook.php"], {
          cwd: examples,
          env: { PATH: process.env["PATH"] ?? "", INBOX: inbox, WEBHOOK_SECRET: "the webhook's secret" },
          stdio: "ignore",
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => void receiver.kill("SIGKILL")))
        const JWT_SECRET = "a secret that both sides know"
        const program = yield* ProgramProcess.launch(["start"], {
          ARMORICORE_DATA_DIR: join(folder, "data"),
          PORT: "0",
          JWT_SECRET,
          EVENT_SIGNING_KEYS: "php:secret-1",
          MEDIA_UPLOAD_TOKEN: "required",
          NOTIFY_WORKFLOWS: join(examples, "workflows"),
          WEBHOOK_URL: `http://127.0.0.1:${port}/`,
          WEBHOOK_SECRET: "the webhook's secret",
        })
        const [, url = ""] = yield* program.waitForOutput(/armoricore listens on (http:\S+)/)
        const file = join(folder, "not-a-video.mp4")
        writeFileSync(file, "this is not a video")
        const uploaded = yield* run("upload.php", ["42", file, "video/mp4"], { ARMORICORE_URL: url, JWT_SECRET })
        const [media = "", path = "", UPLOAD_TOKEN = ""] = uploaded.split(" ")
        assert.match(path, /^s3:\/\/media\/uploads\/42\//)

        // Published twice, with a token and with a signature: one event.
        const TOKEN = yield* run("token.php", ["php", "publisher"], { JWT_SECRET })
        const first = yield* run("publish-http.php", [media, "42", path, uuid], {
          ARMORICORE_URL: url,
          TOKEN,
          UPLOAD_TOKEN,
          REQUEST_ID: "request-7",
          TRACEPARENT: `00-${traceId}-b7ad6b7169203331-01`,
        })
        assert.strictEqual(first, `${uuid} published`)
        const repeated = yield* run("publish-http.php", [media, "42", path, uuid], {
          ARMORICORE_URL: url,
          UPLOAD_TOKEN,
          SIGNING_KEY_ID: "php",
          SIGNING_SECRET: "secret-1",
        })
        assert.strictEqual(repeated, `${uuid} was there already`)
        const invalid = yield* Effect.flip(run("publish-http.php", ["", "42", path], { ARMORICORE_URL: url, TOKEN }))
        assert.include(invalid.message, "payload.media_id")
        const mine = { ARMORICORE_URL: url, TOKEN, UPLOAD_TOKEN }
        const foreign = yield* Effect.flip(run("publish-http.php", [media, "43", path], mine))
        assert.include(foreign.message, "payload.upload_token was not issued for")

        yield* until(Effect.sync(() => readdirSync(inbox).length > 0))
        const [received = ""] = readdirSync(inbox)
        const { event: result } = yield* EventCodec.decode(readFileSync(join(inbox, received)))
        assert.strictEqual(result.event_type, "media.failed")
        assert.propertyVal(result.payload, "media_id", media)
        // The request id of the backend's own request arrives at the end.
        assert.strictEqual(result.request_id, "request-7")
        assert.strictEqual(result.traceparent?.split("-")[1], traceId)

        // A device, a workflow, and a push that is scheduled and cancelled.
        const OPERATOR = yield* run("token.php", ["ida", "operator"], { JWT_SECRET })
        const stateOf = (id: string) =>
          Effect.promise(async () => {
            const answer = await fetch(`${url}/v1/notifications/${id}`, {
              headers: { authorization: `Bearer ${OPERATOR}` },
            })
            return JSON.stringify(await answer.json())
          })
        assert.strictEqual(
          yield* run("register-device.php", ["42", "phone-1", "fcm-token-1"], mine),
          "phone-1 registered",
        )
        const runId = yield* run("trigger-workflow.php", ["42", "7"], mine)
        assert.match(runId, /^[0-9a-f-]{36}$/)
        const inboxOf = Effect.promise(async () => {
          const answer = await fetch(`${url}/v1/users/42/inbox`, { headers: { authorization: `Bearer ${TOKEN}` } })
          return await answer.text()
        })
        yield* until(Effect.map(inboxOf, (text) => text.includes('"title":"Anna commented"')))
        const steps = run("workflow-run.php", [runId], mine)
        yield* until(
          Effect.map(steps, (text) => text.startsWith("new-comment running\ndone in_app\ncurrent delay 1 h\n")),
        )
        const scheduled = yield* run("schedule.php", ["42", "trial-42", "+1 day"], mine)
        yield* until(Effect.map(stateOf(scheduled), (text) => text.includes('"status":"pending"')))
        assert.strictEqual(yield* run("cancel.php", ["trial-42"], mine), "cancelled")
        yield* until(Effect.map(stateOf(scheduled), (text) => text.includes('"reason":"cancelled"')))

        const output = yield* runPhpunit(
          { ARMORICORE_TEST_URL: url, ARMORICORE_TEST_JWT_SECRET: JWT_SECRET },
          "ApiTest",
        )
        assert.include(output, "OK (")

        // The webhook rejects a request with a wrong signature.
        const forged = yield* Effect.promise(() =>
          fetch(`http://127.0.0.1:${port}/`, {
            method: "POST",
            body: "{}",
            headers: {
              "Armoricore-Signature": Signature.sign("webhook", Redacted.make("a guess"), 0, new Uint8Array()),
            },
          }),
        )
        assert.strictEqual(forged.status, 401)
      }),
    120_000,
  )

  it.live.skipIf(phpunit.missing)("the client's own tests pass", () =>
    Effect.gen(function* () {
      assert.include(yield* runPhpunit({}), "OK")
    }),
  )

  describe.skipIf(nats.missing)("over NATS", () => {
    const authorizations = {
      user: `authorization { users [{ user: php, password: "p@ss word" }, { user: setup, password: setup }] }`,
      nkey: `authorization { users [
        { nkey: UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4 }, { user: setup, password: setup }] }`,
      tls: `authorization { token: token-1 }`,
    }
    for (const kind of ["user", "nkey", "tls"] as const) {
      it.live.skipIf(phpunit.missing || openssl.missing)(`the client's own tests pass on a server with ${kind}`, () =>
        Effect.gen(function* () {
          const folder = yield* ProgramProcess.temporaryDirectory
          const certificate = yield* GeneratedCertificate.make(openssl.path)
          const tls = `tls { cert_file: "${certificate.cert}", key_file: "${certificate.key}" }`
          const configuration = join(folder, "nats.conf")
          writeFileSync(configuration, `${authorizations[kind]}\n${kind === "tls" ? tls : ""}\n`)
          const server = yield* NatsServer.make(["-c", configuration])
          // A server with a token accepts a URL in which the token is the user.
          const login = kind === "tls" ? `tls://token-1@localhost` : "nats://setup:setup@127.0.0.1"
          const setup = yield* ProgramProcess.run(["setup"], {
            ARMORICORE_DATA_DIR: join(folder, "data"),
            MESSAGE_BUS_URL: `${login}:${server.port}`,
            JWT_SECRET: "a secret that both sides know",
            ...(kind === "tls" ? { NATS_CA: certificate.cert } : {}),
          })
          assert.strictEqual(setup.code, 0, setup.stderr)
          const output = yield* runPhpunit(
            {
              ARMORICORE_TEST_NATS: `localhost:${server.port}`,
              ARMORICORE_TEST_NATS_KIND: kind,
              ARMORICORE_TEST_NATS_CA: certificate.cert,
            },
            "NatsTest",
          )
          assert.include(output, "OK (")
        }).pipe(Effect.scoped, Effect.provide(Logger.layer([]))),
      )
    }

    const subscribed = Effect.gen(function* () {
      const got = yield* Queue.unbounded<Delivery>()
      const bus = yield* EventBus
      yield* bus.setup([])
      yield* bus.consume({ name: "php", from: event("media.uploaded"), concurrency: 8 }, (delivery) =>
        Effect.as(Queue.offer(got, delivery), { _tag: "Ack" } as const),
      )
      return { got }
    })
    const withBus = <A, E>(
      body: (server: NatsServer.NatsServer["Service"]) => Effect.Effect<A, E, EventBus | Scope.Scope>,
    ) =>
      Effect.gen(function* () {
        const server = yield* NatsServer.make()
        return yield* Effect.provide(
          Effect.scoped(body(server)),
          NatsBus.layerWithConnection({ servers: [server.url], maxBytes: 64 * 1024 ** 2 }),
        )
      }).pipe(Effect.provide(Logger.layer([])))

    it.live("a signed event is acknowledged; the same id is stored once", () =>
      withBus((server) =>
        Effect.gen(function* () {
          const { got } = yield* subscribed
          const environment = { NATS_URL: server.url, SIGNING_KEY_ID: "k1", SIGNING_SECRET: "secret-1" }
          const args = ["m é/ü", "7", "s3://media/a.mp4", uuid]
          assert.strictEqual(yield* run("publish-nats.php", args, environment), `${uuid} published`)
          assert.strictEqual(yield* run("publish-nats.php", args, environment), `${uuid} was there already`)
          const delivery = yield* Effect.timeout(Queue.take(got), "10 seconds")
          assert.strictEqual(delivery.id, uuid)
          assert.include(new TextDecoder().decode(delivery.body), '"m é/ü"')
          yield* Signature.verify(
            new Map([["k1", Redacted.make("secret-1")]]),
            delivery.headers[Signature.signatureHeader],
            delivery.body,
            delivery.arrivedAt,
          )
        }),
      ),
    )

    it.live("after a lost acknowledgement, the client publishes again under the same id", () =>
      withBus((server) =>
        Effect.gen(function* () {
          const { got } = yield* subscribed
          const proxy = yield* dropFirstAcknowledgement(server.port)
          const output = yield* run("publish-nats.php", ["m", "7", "s3://media/a.mp4", uuid], {
            NATS_URL: `nats://127.0.0.1:${proxy}`,
          })
          assert.strictEqual(output, `${uuid} was there already`)
          assert.strictEqual((yield* Effect.timeout(Queue.take(got), "10 seconds")).id, uuid)
          assert.strictEqual(yield* Queue.size(got), 0)
        }),
      ),
    )

    it.live.skipIf(!hasSqlite)("the outbox relays its events, and again those that a crash left in it", () =>
      withBus((server) =>
        Effect.gen(function* () {
          const folder = yield* ProgramProcess.temporaryDirectory
          const { got } = yield* subscribed
          const environment = { DSN: `sqlite:${join(folder, "app.db")}`, NATS_URL: server.url }
          const code = `${autoload} $db = new PDO(getenv("DSN")); $outbox = new Armoricore\\Outbox($db); $outbox->createTables();
            $db->beginTransaction(); $outbox->add(Armoricore\\Event::of("media.uploaded",
            ["media_id" => "m", "user_id" => "7", "file_path" => "s3://media/a.mp4"], "${uuid}")); $db->commit();`
          yield* run("-r", [code], environment)
          assert.strictEqual(yield* run("outbox.php", [], environment), "1 published")
          yield* run("-r", [code], environment)
          assert.strictEqual(yield* run("outbox.php", [], environment), "1 published")
          assert.strictEqual((yield* Effect.timeout(Queue.take(got), "10 seconds")).id, uuid)
          assert.strictEqual(yield* Queue.size(got), 0)
        }),
      ),
    )

    it.live.skipIf(!hasSqlite)(
      "three relays publish each event of the outbox once and in order, although one after another is killed",
      () =>
        withBus((server) =>
          Effect.gen(function* () {
            const events = 300
            const folder = yield* ProgramProcess.temporaryDirectory
            const { got } = yield* subscribed
            const environment = {
              PATH: process.env["PATH"] ?? "",
              DSN: `sqlite:${join(folder, "app.db")}`,
              NATS_URL: server.url,
              LEASE_SECONDS: "1",
            }
            yield* run(
              "-r",
              [
                `${autoload} $db = new PDO(getenv("DSN")); $outbox = new Armoricore\\Outbox($db); $outbox->createTables();
                $db->beginTransaction(); for ($i = 0; $i < ${events}; $i++) $outbox->add(Armoricore\\Event::of("media.uploaded",
                ["media_id" => "m$i", "user_id" => "7", "file_path" => "s3://media/a.mp4"])); $db->commit();`,
              ],
              environment,
            )
            const start = () =>
              spawn(php.path, ["outbox.php", "--watch"], { cwd: examples, env: environment, stdio: "ignore" })
            const relays = [start(), start(), start()]
            yield* Effect.addFinalizer(() => Effect.sync(() => relays.forEach((relay) => relay.kill("SIGKILL"))))
            const ids: Array<string> = []
            const order: Array<string> = []
            while (order.length < events) {
              const delivery = yield* Effect.timeout(Queue.take(got), "30 seconds")
              ids.push(delivery.id)
              const { event: received } = yield* EventCodec.decode(delivery.body)
              if (received.event_type === "media.uploaded") order.push(received.payload.media_id)
              // One killed relay may hold the lease, so all are replaced in turn.
              if (order.length % 75 === 0) {
                relays.shift()?.kill("SIGKILL")
                relays.push(start())
              }
            }
            assert.deepStrictEqual(
              order,
              Array.from({ length: events }, (_, index) => `m${index}`),
            )
            assert.strictEqual(new Set(ids).size, events)
            assert.strictEqual(yield* Queue.size(got), 0)
          }),
        ),
    )
  })
})

const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    // A server that listens on a TCP port has an `AddressInfo`.
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** A proxy to NATS that closes the first connection when the acknowledgement arrives. */
const dropFirstAcknowledgement = (target: number) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
      let dropped = false
      const server = createServer((near) => {
        const far = connect(target, "127.0.0.1")
        near.pipe(far)
        far.on("data", (chunk: Buffer) => {
          if (!dropped && chunk.includes('"stream"')) {
            dropped = true
            near.destroy()
            far.destroy()
          } else near.write(chunk)
        })
        for (const socket of [near, far]) socket.on("error", () => socket.destroy())
      })
      server.listen(0, "127.0.0.1", () => {
        // A server that listens on a TCP port has an `AddressInfo`.
        resume(Effect.succeed({ port: (server.address() as AddressInfo).port, close: () => void server.close() }))
      })
    }),
    ({ close }) => Effect.sync(close),
  ).pipe(Effect.map(({ port }) => port))
