/**
 * Serves the page and the files of the console below `/console`. They contain no secrets: their data comes from the
 * operator API, which requires a token.
 */
import { Effect, FiberSet, FileSystem, Path, Semaphore } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as ConsoleBuild from "./ConsoleBuild.ts"

export const path = "/console"

const contentTypes: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
}

/** Pictures and playlists may lie at a CDN. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' http: https: data:",
  "connect-src 'self' ws: wss:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ")

interface FileResponse {
  readonly status: number
  readonly type: string
  readonly body: Uint8Array | string
  /** Its name changes with its content. */
  readonly isImmutable?: boolean
}

const fileNamePattern = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+$/

/** The listener; false: another path, nothing was touched. */
export const make = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const { join } = yield* Path.Path
  // A build that runs when the scope closes ends with it.
  const fibers = yield* FiberSet.make<void>()
  const fork = yield* FiberSet.runtime(fibers)<
    FileSystem.FileSystem | Path.Path | ChildProcessSpawner.ChildProcessSpawner
  >()
  const buildLock = Semaphore.makeUnsafe(1)
  let folder: string | undefined

  /** One build, however many ask; the page itself looks whether its sources have changed. */
  const folderFor = (isPage: boolean) =>
    Effect.suspend(() =>
      folder === undefined || isPage
        ? buildLock.withPermits(1)(
            Effect.tap(ConsoleBuild.consoleFolder, (found) => Effect.sync(() => void (folder = found))),
          )
        : Effect.succeed(folder),
    )

  const readFile = (
    name: string,
  ): Effect.Effect<FileResponse, never, Effect.Services<typeof ConsoleBuild.consoleFolder>> =>
    Effect.gen(function* () {
      const at = name === "" ? "index.html" : name
      const parts = at.split("/")
      const isValidPath =
        parts.length <= 2 &&
        parts.every((part, index) => fileNamePattern.test(part) || (index === 0 && part === "assets"))
      const from = yield* folderFor(name === "")
      const bytes = isValidPath ? yield* Effect.option(fs.readFile(join(from, at))) : undefined
      if (bytes === undefined || bytes._tag === "None")
        return { status: 404, type: "text/plain", body: "There is no such file.\n" }
      const type = contentTypes[at.slice(at.lastIndexOf(".") + 1)] ?? "application/octet-stream"
      return { status: 200, type, body: bytes.value, isImmutable: parts.length > 1 }
    }).pipe(
      Effect.catchTag("BuildFailed", ({ message }) =>
        Effect.as(Effect.logError(message), { status: 503, type: "text/plain; charset=utf-8", body: `${message}\n` }),
      ),
    )

  const respond = (response: ServerResponse, { body, isImmutable, status, type }: FileResponse): void => {
    response.writeHead(status, {
      "content-type": type,
      "content-security-policy": contentSecurityPolicy,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": isImmutable === true ? "public, max-age=31536000, immutable" : "no-cache",
    })
    response.end(body)
  }

  return {
    handleRequest: (request: IncomingMessage, response: ServerResponse): boolean => {
      const requestPath = (request.url ?? "/").split("?", 1)[0] ?? "/"
      if (requestPath !== path && !requestPath.startsWith(`${path}/`)) return false
      if (request.method !== "GET" && request.method !== "HEAD") {
        response.writeHead(405, { allow: "GET, HEAD" }).end()
        return true
      }
      const name = requestPath.slice(path.length + 1)
      fork(Effect.map(readFile(name), (found) => respond(response, found)))
      return true
    },
  }
})
