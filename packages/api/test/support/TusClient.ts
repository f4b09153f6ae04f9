/** The official tus client in Node: the file for browsers, with `fetch` in place of XMLHttpRequest. */
import { createRequire } from "node:module"
import { Effect } from "effect"
import type * as Tus from "tus-js-client"
import type { HttpRequest, HttpResponse, HttpStack, UploadOptions } from "tus-js-client"

// Vite would look for the source map of the minified file.
const tus: typeof Tus = createRequire(import.meta.url)("tus-js-client")

const makeRequest = (method: string, url: string): HttpRequest => {
  const headers: Record<string, string> = {}
  const aborter = new AbortController()
  return {
    getMethod: () => method,
    getURL: () => url,
    setHeader: (name: string, value: string) => void (headers[name] = value),
    getHeader: (name: string) => headers[name],
    setProgressHandler: () => {},
    send: async (body: Blob | null): Promise<HttpResponse> => {
      const response = await fetch(url, { method, headers, signal: aborter.signal, ...(body === null ? {} : { body }) })
      const text = await response.text()
      return {
        getStatus: () => response.status,
        getHeader: (name: string) => response.headers.get(name) ?? undefined,
        getBody: () => text,
        getUnderlyingObject: () => response,
      }
    },
    abort: () => Promise.resolve(aborter.abort()),
    getUnderlyingObject: () => undefined,
  }
}

const httpStack: HttpStack = { createRequest: makeRequest, getName: () => "fetch" }

/** Uploads the file; retries fast, like a client whose line is bad. Returns the headers of the last response. */
export const upload = (file: Blob, options: UploadOptions) =>
  Effect.callback<HttpResponse, Error>((resume) => {
    const running = new tus.Upload(file as File, {
      retryDelays: [0, 20, 50, 100, 200, 400],
      httpStack,
      storeFingerprintForResuming: false,
      ...options,
      onSuccess: ({ lastResponse }) => resume(Effect.succeed(lastResponse)),
      onError: (error) => resume(Effect.fail(error)),
    })
    running.start()
    return Effect.promise(() => running.abort())
  })
