/**
 * HTTP/2 to Apple over one session, by Apple's rules:
 * - One stream until a request with a valid token got a response; then as many as the server's settings allow.
 * - After GOAWAY new requests use a new session. Streams that the server did not process are sent again there.
 * - A session is pinged while it is idle, and while a call is late. Without a response it is dropped: a connection that
 *   died without a word would delay every push until the system gives it up, which takes minutes.
 *
 * An instance belongs to one team's key: two keys never share a connection. The scope closes the sessions. Requests use
 * callbacks instead of fibers, because thousands per second are usual.
 */
import { TransientError } from "@armoricore/domain/Errors"
import { Effect, Exit, type Scope } from "effect"
import * as Http2 from "node:http2"
import { UnknownOutcome } from "../../provider/Provider.ts"

export interface ApnsResponse {
  readonly status: number
  readonly headers: Http2.IncomingHttpHeaders
  readonly body: string
}

export interface ApnsSessions {
  /** Posts a request. `resume` is called once, unless the returned function aborted the request before. */
  readonly post: (path: string, headers: Readonly<Record<string, string>>, body: string, resume: Resume) => () => void
  /** The server accepted the token: more streams may be opened. */
  readonly acceptToken: () => void
}

/** Succeeds with any status. */
export type Resume = (response: Exit.Exit<ApnsResponse, TransientError | UnknownOutcome>) => void

/** The limit even if the server allows more. */
const maxStreams = 1_000
const pingIntervalMillis = 60_000
const defaultLateAfterMillis = 5_000
const connectTimeoutMillis = 10_000
/** How often a request is sent again after the server closed its session unprocessed. */
const maxResends = 3

interface Session {
  readonly client: Http2.ClientHttp2Session
  /** When each call without a response began, oldest first. */
  readonly pending: Set<{ readonly at: number }>
  lateTimer: ReturnType<typeof setTimeout> | undefined
  streams: number
  tokenAccepted: boolean
  /** Opens no new streams. */
  isClosing: boolean
}

/** A request that waits for a free stream or for its response. */
interface Request {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly resume: Resume
  resendsLeft: number
  cancelled: boolean
  stream: Http2.ClientHttp2Stream | undefined
}

export const make = (
  url: string,
  options: { readonly ca?: string; readonly lateAfterMillis?: number } = {},
): Effect.Effect<ApnsSessions, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { lateAfterMillis = defaultLateAfterMillis } = options
    let current: Session | undefined
    let isConnecting = false
    const clients = new Set<Http2.ClientHttp2Session>()
    let queue: Array<Request> = []

    const connect = () => {
      const client = Http2.connect(url, options.ca === undefined ? {} : { ca: options.ca })
      const session: Session = {
        client,
        pending: new Set(),
        lateTimer: undefined,
        streams: 0,
        tokenAccepted: false,
        isClosing: false,
      }
      const connectTimer = setTimeout(
        () => client.destroy(new Error(`no connection within ${connectTimeoutMillis / 1_000} s`)),
        connectTimeoutMillis,
      )
      let connected = false
      clients.add(client)
      const onEnd = (reason: string) => {
        clearTimeout(connectTimer)
        session.isClosing = true
        if (current === session) current = undefined
        if (connected) return pump()
        connected = true
        isConnecting = false
        const unsent = queue
        queue = []
        for (const request of unsent) request.resume(Exit.fail(unavailable(`cannot connect to APNs: ${reason}`)))
      }
      client.once("connect", () => {
        clearTimeout(connectTimer)
        connected = true
        isConnecting = false
        current = session
        pump()
      })
      client.on("error", ({ message }) => onEnd(message))
      client.on("goaway", () => onEnd("the server sent GOAWAY"))
      client.on("close", () => {
        clients.delete(client)
        clearTimeout(session.lateTimer)
        onEnd("the connection was closed")
      })
      client.on("remoteSettings", () => pump())
    }

    const streamLimit = ({ client, tokenAccepted }: Session) =>
      tokenAccepted ? Math.min(maxStreams, client.remoteSettings?.maxConcurrentStreams ?? maxStreams) : 1

    /** Sends queued requests while streams are free. */
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
      if (request.resendsLeft-- <= 0) {
        return request.resume(Exit.fail(unavailable("APNs closed several sessions before it processed the push")))
      }
      queue.push(request)
      pump()
    }

    const exchange = (session: Session, sent: Request) => {
      const stream = session.client.request({ ":method": "POST", ":path": sent.path, ...sent.headers })
      sent.stream = stream
      const call = { at: Date.now() }
      session.pending.add(call)
      session.lateTimer ??= setTimeout(checkLate, lateAfterMillis, session)
      session.streams++
      let headers: (Http2.IncomingHttpHeaders & Http2.IncomingHttpStatusHeader) | undefined
      let chunks: Array<Buffer> | undefined
      let open: Request | undefined = sent
      /**
       * Returns undefined if the stream was released before. V8 frees a stream only with a full collection, so its listeners
       * must not reach the request, and all that waits for it, any more.
       */
      const releaseStream = () => {
        const request = open
        if (request === undefined) return undefined
        open = undefined
        request.stream = undefined
        session.pending.delete(call)
        session.streams--
        return request
      }
      stream.on("response", (responseHeaders) => {
        headers = responseHeaders
      })
      stream.on("data", (chunk: Buffer) => {
        ;(chunks ??= []).push(chunk)
      })
      stream.on("end", () => {
        const status = headers?.[":status"]
        if (headers === undefined || status === undefined) return
        const request = releaseStream()
        if (request === undefined) return
        const response = { status, headers, body: chunks === undefined ? "" : Buffer.concat(chunks).toString() }
        headers = undefined
        chunks = undefined
        request.resume(Exit.succeed(response))
        pump()
      })
      // `close` always follows, with the reset code.
      stream.on("error", () => {})
      stream.on("close", () => {
        const request = releaseStream()
        if (request === undefined) return
        if (stream.rstCode === Http2.constants.NGHTTP2_REFUSED_STREAM || stream.id === undefined) requeue(request)
        else
          request.resume(
            Exit.fail(new UnknownOutcome({ message: "the connection to APNs closed before the response" })),
          )
        pump()
      })
      stream.end(sent.body)
    }

    const pingOrDrop = ({ client }: Session, timeoutMillis: number, onPong: () => void) => {
      const drop = () => client.destroy(new Error("the connection does not respond"))
      const pingTimer = setTimeout(drop, timeoutMillis)
      pingTimer.unref()
      client.ping((error) => {
        clearTimeout(pingTimer)
        if (error === null) onPong()
        else drop()
      })
    }

    /** Runs while calls are open. The server may be slow, so only a ping tells whether the connection is dead. */
    const checkLate = (session: Session) => {
      session.lateTimer = undefined
      const [oldest] = session.pending
      if (oldest === undefined || session.client.destroyed) return
      const next = () => {
        session.lateTimer ??= setTimeout(checkLate, lateAfterMillis, session)
      }
      const lateIn = oldest.at + lateAfterMillis - Date.now()
      if (lateIn > 0) session.lateTimer = setTimeout(checkLate, lateIn, session)
      else pingOrDrop(session, lateAfterMillis, next)
    }

    const ping = Effect.sync(() => {
      const session = current
      if (session === undefined || session.streams > 0 || session.client.destroyed) return
      pingOrDrop(session, 10_000, () => {})
    })
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(pingIntervalMillis), ping)))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const client of clients) client.destroy()
      }),
    )

    return {
      post: (path, headers, body, resume) => {
        const request: Request = {
          path,
          headers,
          body,
          resume,
          resendsLeft: maxResends,
          cancelled: false,
          stream: undefined,
        }
        queue.push(request)
        pump()
        return () => {
          request.cancelled = true
          request.stream?.close(Http2.constants.NGHTTP2_CANCEL)
        }
      },
      acceptToken: () => {
        if (current === undefined || current.tokenAccepted) return
        current.tokenAccepted = true
        pump()
      },
    }
  })

const unavailable = (message: string) => new TransientError({ dependency: "apns", code: "unavailable", message })
