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
import { UnknownOutcome } from "../../provider/Provider.ts"

export interface ApnsResponse {
  readonly status: number
  readonly headers: Http2.IncomingHttpHeaders
  readonly body: string
}

export interface ApnsSessions {
  readonly post: (
    path: string,
    headers: Readonly<Record<string, string>>,
    body: string,
  ) => Effect.Effect<ApnsResponse, TransientError | UnknownOutcome>
  /** A request was answered as one with a valid token is: more streams may be opened. */
  readonly acceptToken: () => void
}

/** Never more, whatever the server allows. */
const maxStreams = 1_000
const pingIntervalMillis = 60_000
const resends = 3

interface Session {
  readonly client: Http2.ClientHttp2Session
  streams: number
  tokenAccepted: boolean
  /** No new stream may be opened on it. */
  isClosing: boolean
}

/** A request that waits for a free stream, or for its answer. */
interface Request {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly resume: (result: Effect.Effect<ApnsResponse, TransientError | UnknownOutcome>) => void
  resends: number
  cancelled: boolean
  stream: Http2.ClientHttp2Stream | undefined
}

export const make = (
  url: string,
  options: { readonly ca?: string } = {},
): Effect.Effect<ApnsSessions, never, Scope.Scope> =>
  Effect.gen(function* () {
    let current: Session | undefined
    let isConnecting = false
    const clients = new Set<Http2.ClientHttp2Session>()
    // In order.
    let queue: Array<Request> = []

    const connect = () => {
      const client = Http2.connect(url, options.ca === undefined ? {} : { ca: options.ca })
      const session: Session = { client, streams: 0, tokenAccepted: false, isClosing: false }
      let connected = false
      clients.add(client)
      const onEnd = (why: string) => {
        session.isClosing = true
        if (current === session) current = undefined
        if (connected) return pump()
        connected = true
        isConnecting = false
        const failed = queue
        queue = []
        for (const request of failed) request.resume(Effect.fail(unavailable(`APNs cannot be reached: ${why}`)))
      }
      client.once("connect", () => {
        connected = true
        isConnecting = false
        current = session
        pump()
      })
      client.on("error", ({ message }) => onEnd(message))
      client.on("goaway", () => onEnd("it is going away"))
      client.on("close", () => {
        clients.delete(client)
        onEnd("the connection was closed")
      })
      client.on("remoteSettings", () => pump())
    }

    const streamLimit = ({ client, tokenAccepted }: Session) =>
      tokenAccepted ? Math.min(maxStreams, client.remoteSettings?.maxConcurrentStreams ?? maxStreams) : 1

    /** Opens as many streams as may be. */
    const pump = () => {
      while (queue.length > 0) {
        const session = current
        if (session === undefined || session.isClosing || session.client.closed || session.client.destroyed) {
          if (!isConnecting) {
            isConnecting = true
            connect()
          }
          return
        }
        if (session.streams >= streamLimit(session)) return
        const request = queue.shift()
        if (request !== undefined && !request.cancelled) exchange(session, request)
      }
    }

    const requeue = (request: Request) => {
      if (request.cancelled) return
      if (request.resends-- <= 0) {
        return request.resume(Effect.fail(unavailable("APNs closed its connections before it took the push")))
      }
      queue.push(request)
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
      const releaseStream = () => {
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
        if (headers === undefined || status === undefined || !releaseStream()) return
        request.resume(
          Effect.succeed({ status, headers, body: chunks.length === 0 ? "" : Buffer.concat(chunks).toString() }),
        )
        pump()
      })
      // The reason comes with `close`, which always follows.
      stream.on("error", () => {})
      stream.on("close", () => {
        if (!releaseStream()) return
        if (stream.rstCode === Http2.constants.NGHTTP2_REFUSED_STREAM || stream.id === undefined) requeue(request)
        else
          request.resume(Effect.fail(new UnknownOutcome({ message: "the connection to APNs ended before the answer" })))
        pump()
      })
      stream.end(request.body)
    }

    const ping = Effect.sync(() => {
      const session = current
      if (session === undefined || session.streams > 0 || session.client.destroyed) return
      const answered = setTimeout(() => session.client.destroy(), 10_000)
      answered.unref()
      session.client.ping((error) => {
        clearTimeout(answered)
        if (error !== null) session.client.destroy()
      })
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(pingIntervalMillis), ping)))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const client of clients) client.destroy()
      }),
    )

    return {
      post: (path, headers, body) =>
        Effect.callback((resume) => {
          const request: Request = { path, headers, body, resume, resends, cancelled: false, stream: undefined }
          queue.push(request)
          pump()
          return Effect.sync(() => {
            request.cancelled = true
            request.stream?.close(Http2.constants.NGHTTP2_CANCEL)
          })
        }),
      acceptToken: () => {
        if (current === undefined || current.tokenAccepted) return
        current.tokenAccepted = true
        pump()
      },
    }
  })

const unavailable = (message: string) => new TransientError({ dependency: "apns", code: "unavailable", message })
