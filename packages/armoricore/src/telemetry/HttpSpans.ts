/** How requests are called in traces: by their route, so that those of one kind stand together. */
import { Layer } from "effect"
import { HttpMiddleware, type HttpServerRequest } from "effect/http"

/** Asked by machines every few seconds. */
const untracedPaths = new Set(["/healthz", "/readyz", "/metrics"])

const pathOf = ({ url }: HttpServerRequest.HttpServerRequest): string => url.split(/[?#]/, 1)[0] ?? ""

/** Whatever stands behind these is one object, one token or one id. */
const parameterizedRoutes = [
  /^\/(objects|play)\//,
  /^\/v1\/(media|notifications|transcripts|uploads)\/[^/]+(?=\/|$)/,
  /^\/(?:unsubscribe|mailbox)\//,
]

export const spanName = (request: HttpServerRequest.HttpServerRequest): string => {
  const path = pathOf(request)
  for (const route of parameterizedRoutes) {
    const [start] = route.exec(path) ?? []
    if (start === undefined) continue
    const fixed = start.endsWith("/") ? start : start.slice(0, start.lastIndexOf("/") + 1)
    return `${request.method} ${fixed}:id${start.endsWith("/") ? "" : path.slice(start.length)}`
  }
  // Anybody may ask for anything.
  return path.length <= 40 && /^\/[a-z0-9/_-]*$/.test(path) ? `${request.method} ${path}` : request.method
}

export const layer = Layer.mergeAll(
  Layer.succeed(HttpMiddleware.SpanNameGenerator, spanName),
  Layer.succeed(HttpMiddleware.TracerDisabledWhen, (request) => untracedPaths.has(pathOf(request))),
)
