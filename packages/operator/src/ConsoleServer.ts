/**
 * The console's page and files below `/console`. They hold nothing secret: what they show comes from the operators' API,
 * which asks for a token.
 */
import { Effect, FiberSet, FileSystem, Path, Semaphore } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as ConsoleBuild from "./ConsoleBuild.ts"

export const path = "/console"

const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
}

/** Pictures and playlists may lie at a CDN. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' http: https: data:",
  "connect-src 'self' ws: wss:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ")

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: Uint8Array | string
  /** Its name changes with its content. */
  readonly lasting?: boolean
}

const fileName = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+$/

/** The listener; false: another path, nothing was touched. */
export const make = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  // A build that runs when the scope closes ends with it.
  const fibers = yield* FiberSet.make<void>()
  const fork = yield* FiberSet.runtime(fibers)<
    FileSystem.FileSystem | Path.Path | ChildProcessSpawner.ChildProcessSpawner
  >()
  const building = Semaphore.makeUnsafe(1)
  let folder: string | undefined

  /** One build, however many ask; the page itself looks whether its sources have changed. */
  const folderFor = (isPage: boolean) =>
    Effect.suspend(() =>
      folder === undefined || isPage
        ? building.withPermits(1)(Effect.tap(ConsoleBuild.folder, (found) => Effect.sync(() => void (folder = found))))
        : Effect.succeed(folder),
    )

  const answer = (name: string): Effect.Effect<Answer, never, Effect.Services<typeof ConsoleBuild.folder>> =>
    Effect.gen(function* () {
      const at = name === "" ? "index.html" : name
      const parts = at.split("/")
      const isKnown =
        parts.length <= 2 && parts.every((part, index) => fileName.test(part) || (index === 0 && part === "assets"))
      const from = yield* folderFor(name === "")
      const bytes = isKnown ? yield* Effect.option(fs.readFile(join(from, at))) : undefined
      if (bytes === undefined || bytes._tag === "None")
        return { status: 404, type: "text/plain", body: "There is no such file.\n" }
      const type = types[at.slice(at.lastIndexOf(".") + 1)] ?? "application/octet-stream"
      return { status: 200, type, body: bytes.value, lasting: parts.length > 1 }
    }).pipe(
      Effect.catchTag("NotBuilt", ({ message }) =>
        Effect.as(Effect.logError(message), { status: 503, type: "text/plain; charset=utf-8", body: `${message}\n` }),
      ),
    )

  const respond = (response: ServerResponse, { body, lasting, status, type }: Answer): void => {
    response.writeHead(status, {
      "content-type": type,
      "content-security-policy": policy,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": lasting === true ? "public, max-age=31536000, immutable" : "no-cache",
    })
    response.end(body)
  }

  return {
    handleRequest: (request: IncomingMessage, response: ServerResponse): boolean => {
      const asked = (request.url ?? "/").split("?", 1)[0] ?? "/"
      if (asked !== path && !asked.startsWith(`${path}/`)) return false
      if (request.method !== "GET" && request.method !== "HEAD") {
        response.writeHead(405, { allow: "GET, HEAD" }).end()
        return true
      }
      const name = asked.slice(path.length + 1)
      fork(Effect.map(answer(name), (found) => respond(response, found)))
      return true
    },
  }
})
