/**
 * HTTP/2 to Apple over one live session, with what Apple asks for:
 * - one stream only, until a request with a valid token was answered; then as many as the server's settings allow;
 * - GOAWAY: a new session takes over at once, streams that the server will not see are sent again there;
 * - a silent session is pinged, and dropped when it does not answer.
 *
 * One instance belongs to one team's key: two keys never share a connection. Sessions end with the scope. Between a
 * request and its answer there are callbacks only: thousands of them a second are usual.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { Effect, type Scope } from "effect"
import * as Http2 from "node:http2"
import { OutcomeUnknown } from "../Route.ts"

export interface Answer {
  readonly status: number
  readonly headers: Http2.IncomingHttpHeaders
  readonly body: string
}

export interface Sessions {
  readonly post: (
    path: string,
    headers: Readonly<Record<string, string>>,
    body: string,
  ) => Effect.Effect<Answer, TransientError | OutcomeUnknown>
  /** A request was answered as one with a valid token is: more streams may be opened. */
  readonly trust: () => void
}

/** Never more, whatever the server allows. */
const maxStreams = 1_000
const pingMillis = 60_000
const resends = 3

interface Session {
  readonly client: Http2.ClientHttp2Session
  streams: number
  trusted: boolean
  /** No new stream may be opened on it. */
  over: boolean
}

/** A request that waits for a free stream, or for its answer. */
interface Request {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly end: (result: Effect.Effect<Answer, TransientError | OutcomeUnknown>) => void
  resends: number
  cancelled: boolean
  stream: Http2.ClientHttp2Stream | undefined
}

export const make = (
  url: string,
  options: { readonly ca?: string } = {},
): Effect.Effect<Sessions, never, Scope.Scope> =>
  Effect.gen(function* () {
    let live: Session | undefined
    let opening = false
    const all = new Set<Http2.ClientHttp2Session>()
    // In order.
    let waiting: Array<Request> = []

    const connect = () => {
      const client = Http2.connect(url, options.ca === undefined ? {} : { ca: options.ca })
      const session: Session = { client, streams: 0, trusted: false, over: false }
      let connected = false
      all.add(client)
      const ended = (why: string) => {
        session.over = true
        if (live === session) live = undefined
        if (connected) return pump()
        connected = true
        opening = false
        const failed = waiting
        waiting = []
        for (const request of failed) request.end(Effect.fail(unavailable(`APNs cannot be reached: ${why}`)))
      }
      client.once("connect", () => {
        connected = true
        opening = false
        live = session
        pump()
      })
      client.on("error", ({ message }) => ended(message))
      client.on("goaway", () => ended("it is going away"))
      client.on("close", () => {
        all.delete(client)
        ended("the connection was closed")
      })
      client.on("remoteSettings", () => pump())
    }

    const limitOf = ({ client, trusted }: Session) =>
      trusted ? Math.min(maxStreams, client.remoteSettings?.maxConcurrentStreams ?? maxStreams) : 1

    /** Opens as many streams as may be. */
    const pump = () => {
      while (waiting.length > 0) {
        const session = live
        if (session === undefined || session.over || session.client.closed || session.client.destroyed) {
          if (!opening) {
            opening = true
            connect()
          }
          return
        }
        if (session.streams >= limitOf(session)) return
        const request = waiting.shift()
        if (request !== undefined && !request.cancelled) exchange(session, request)
      }
    }

    const again = (request: Request) => {
      if (request.cancelled) return
      if (request.resends-- <= 0) {
        return request.end(Effect.fail(unavailable("APNs closed its connections before it took the push")))
      }
      waiting.push(request)
      pump()
    }

    const exchange = (session: Session, request: Request) => {
      const stream = session.client.request({ ":method": "POST", ":path": request.path, ...request.headers })
      request.stream = stream
      session.streams++
      let headers: (Http2.IncomingHttpHeaders & Http2.IncomingHttpStatusHeader) | undefined
      const chunks: Array<Buffer> = []
      let isOver = false
      /** The stream is free for the next. */
      const free = () => {
        if (isOver) return false
        isOver = true
        session.streams--
        return true
      }
      stream.on("response", (got) => {
        headers = got
      })
      stream.on("data", (chunk: Buffer) => {
        chunks.push(chunk)
      })
      stream.on("end", () => {
        const status = headers?.[":status"]
        if (headers === undefined || status === undefined || !free()) return
        request.end(
          Effect.succeed({ status, headers, body: chunks.length === 0 ? "" : Buffer.concat(chunks).toString() }),
        )
        pump()
      })
      // The reason comes with `close`, which always follows.
      stream.on("error", () => {})
      stream.on("close", () => {
        if (!free()) return
        if (stream.rstCode === Http2.constants.NGHTTP2_REFUSED_STREAM || stream.id === undefined) again(request)
        else request.end(Effect.fail(new OutcomeUnknown({ message: "the connection to APNs ended before the answer" })))
        pump()
      })
      stream.end(request.body)
    }

    const ping = Effect.sync(() => {
      const session = live
      if (session === undefined || session.streams > 0 || session.client.destroyed) return
      const answered = setTimeout(() => session.client.destroy(), 10_000)
      answered.unref()
      session.client.ping((error) => {
        clearTimeout(answered)
        if (error !== null) session.client.destroy()
      })
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(pingMillis), ping)))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const client of all) client.destroy()
      }),
    )

    return {
      post: (path, headers, body) =>
        Effect.callback((end) => {
          const request: Request = { path, headers, body, end, resends, cancelled: false, stream: undefined }
          waiting.push(request)
          pump()
          return Effect.sync(() => {
            request.cancelled = true
            request.stream?.close(Http2.constants.NGHTTP2_CANCEL)
          })
        }),
      trust: () => {
        if (live === undefined || live.trusted) return
        live.trusted = true
        pump()
      },
    }
  })

const unavailable = (message: string) => new TransientError({ dependency: "apns", code: "unavailable", message })
