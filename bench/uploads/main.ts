/**
 * A large resumable upload: the memory of the program while it stores a sparse file that one request sends, and its CPU beside a
 * server of `node:http` alone that writes the same bytes into a file.
 *
 * The program, the raw server and the S3 server are processes of their own; the memory is read each second. It fails where the
 * memory after the first 500 MB is not flat. It is no test, because a run writes twice the size of the file to the disk and takes
 * minutes. Usage: `npm run bench:uploads [-- gigabytes [local|s3…]]`.
 */
import { createHmac } from "node:crypto"
import { type ChildProcess, fork } from "node:child_process"
import { createReadStream } from "node:fs"
import { open, readFile, rm } from "node:fs/promises"
import { request } from "node:http"
import { join } from "node:path"
import { Console, Effect, FileSystem } from "effect"
import { runBenchmark } from "../cli.ts"
import { secret } from "../program/Protocol.ts"
import * as Subject from "../program/Subject.ts"
import * as Results from "../Results.ts"
import type { Address } from "./peer.ts"

const gigabytes = Number(process.argv[2] ?? 5)
const storages = process.argv.length > 3 ? process.argv.slice(3) : ["local", "s3"]
const size = gigabytes * 1e9
/** Until here the heap and the buffers of the sockets grow to their size. */
const settledAfter = Math.min(500e6, size / 4)
/** MB between the smallest and the largest sample after that. */
const maxGrowth = 40

const peer = (kind: "raw" | "s3", file = "") =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => fork(join(import.meta.dirname, "peer.ts"), [kind, file])),
      (running) => Effect.asVoid(Effect.promise(() => stop(running))),
    )
    const address = yield* Effect.callback<Address>((resume) => {
      child.once("message", (sent) => resume(Effect.succeed(sent as Address)))
    })
    return { pid: child.pid ?? 0, address }
  })

/** By SIGTERM, so that the S3 server deletes its folder. */
const stop = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.once("exit", () => resolve())
    child.kill("SIGTERM")
  })

const residentMegabytes = async (pid: number): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, "utf8")
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
}

interface Sample {
  readonly sent: number
  readonly megabytes: number
}

interface Upload {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly file: string
}

/** Sends the file in one request, and reads the memory of the process each second until the response is there. */
const send = (pid: number, { file, headers, method, url }: Upload) =>
  Effect.promise(async () => {
    const samples: Array<Sample> = []
    const body = createReadStream(file, { highWaterMark: 1 << 20 })
    const sampling = setInterval(() => {
      const sent = body.bytesRead
      void residentMegabytes(pid).then((megabytes) => samples.push({ sent, megabytes }))
    }, 1_000)
    const started = performance.now()
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sending = request(url, { method, headers: { ...headers, "content-length": String(size) } }, (response) => {
        response.resume().once("end", () => resolve(response.statusCode))
      })
      sending.once("error", reject)
      body.once("error", reject)
      body.pipe(sending)
    }).finally(() => clearInterval(sampling))
    if (status !== 204) throw new Error(`${method} ${url}: ${status}`)
    return { samples, seconds: (performance.now() - started) / 1000 }
  })

const measured = (server: { readonly pid: number }, upload: Upload) =>
  Effect.gen(function* () {
    const before = Subject.cpuSecondsOf(server.pid)
    const { samples, seconds } = yield* send(server.pid, upload)
    const cpu = Subject.cpuSecondsOf(server.pid) - before
    const settled = samples.filter(({ sent }) => sent >= settledAfter).map(({ megabytes }) => megabytes)
    const half = Math.ceil(settled.length / 2)
    return {
      cpu: cpu / gigabytes,
      seconds,
      first: samples[0]?.megabytes ?? 0,
      least: Math.min(...settled),
      most: Math.max(...settled),
      /** The collector's sawtooth is in both halves. */
      growth: Math.max(...settled.slice(half)) - Math.max(...settled.slice(0, half)),
      samples: settled.length,
      /** MB, about twenty over the time of the upload. */
      course: samples.filter((_, at) => at % Math.ceil(samples.length / 20) === 0).map(({ megabytes }) => megabytes),
    }
  })

const token = (): string => {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ user_id: "u1", exp: Math.floor(Date.now() / 1000) + 3600 })}`
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`
}

const resumable = Effect.fnUntraced(function* (storage: string, file: string) {
  const env = storage === "s3" ? (yield* peer("s3")).address : {}
  const program = yield* Subject.start("armoricore", { ...env, MEDIA_MAX_BYTES: String(size) })
  const origin = `http://127.0.0.1:${program.port}`
  const common = { authorization: `Bearer ${token()}`, "tus-resumable": "1.0.0" }
  const created = yield* Effect.promise(() =>
    fetch(`${origin}/v1/uploads/tus`, { method: "POST", headers: { ...common, "upload-length": String(size) } }),
  )
  if (created.status !== 201) return yield* Effect.die(new Error(`POST: ${created.status}`))
  return yield* measured(program, {
    method: "PATCH",
    url: `${origin}${created.headers.get("location")}`,
    headers: { ...common, "upload-offset": "0", "content-type": "application/offset+octet-stream" },
    file,
  })
}, Effect.scoped)

const raw = Effect.fnUntraced(function* (file: string, target: string) {
  const server = yield* peer("raw", target)
  const url = `http://127.0.0.1:${server.address["PORT"]}/`
  const result = yield* measured(server, { method: "PUT", url, headers: {}, file })
  yield* Effect.promise(() => rm(target))
  return result
}, Effect.scoped)

runBenchmark(
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "armoricore-bench-" })
    const file = join(folder, "sparse.mp4")
    yield* Effect.promise(async () => {
      const handle = await open(file, "w")
      await handle.truncate(size)
      await handle.close()
    })
    const rows = [["upload", "CPU s per GB", "beside raw", "seconds", "MB at the start", "MB after 500 MB", "growth"]]
    const baseline = yield* raw(file, join(folder, "raw"))
    const faults: Array<string> = []
    const results: Array<readonly [name: string, result: typeof baseline]> = [["`node:http` into a file", baseline]]
    for (const storage of storages) results.push([`tus, ${storage}`, yield* resumable(storage, file)])
    for (const [name, { course, cpu, first, growth, least, most, samples, seconds }] of results) {
      yield* Console.log(`${name}: ${course.map((megabytes) => megabytes.toFixed(0)).join(" ")} MB`)
      rows.push([
        name,
        cpu.toFixed(2),
        `${(cpu / baseline.cpu).toFixed(1)} ×`,
        seconds.toFixed(0),
        first.toFixed(0),
        `${least.toFixed(0)} to ${most.toFixed(0)}`,
        `${growth.toFixed(0)} MB in ${samples} samples`,
      ])
      if (name.startsWith("tus") && growth > maxGrowth) faults.push(`${name}: ${growth.toFixed(0)} MB`)
    }
    yield* Console.log(Results.markdownTable(rows))
    const sentence = `One request sends a sparse file of ${gigabytes} GB. The local folder writes parts, and then the file; each byte is hashed twice. Growth: the highest value of the second half less that of the first; at most ${maxGrowth} MB.`
    yield* Results.writeSection("Uploads", "npm run bench:uploads", `${sentence}\n\n${Results.markdownTable(rows)}`)
    if (faults.length > 0) return yield* Effect.die(new Error(`the memory is not flat: ${faults.join(", ")}`))
  }),
)
