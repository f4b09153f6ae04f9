/**
 * HTTP/2 to Apple over one live session, with what Apple asks for:
 * - one stream only, until a request with a valid token was answered; then as many as the server's settings allow;
 * - GOAWAY: a new session takes over at once, streams that the server will not see are sent again there;
 * - a silent session is pinged, and dropped when it does not answer.
 *
 * One instance belongs to one team's key: two keys never share a connection. Sessions end with the scope.
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
  readonly trusted: Effect.Effect<void>
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

export const make = (
  url: string,
  options: { readonly ca?: string } = {},
): Effect.Effect<Sessions, never, Scope.Scope> =>
  Effect.gen(function* () {
    let live: Session | undefined
    let opening: Promise<Session> | undefined
    const all = new Set<Http2.ClientHttp2Session>()
    // Requests that wait for a free stream, in order.
    const waiters: Array<() => void> = []

    const wake = () => {
      const woken = waiters.splice(0)
      for (const waiter of woken) waiter()
    }

    const connect = () =>
      new Promise<Session>((resolve, reject) => {
        const client = Http2.connect(url, options.ca === undefined ? {} : { ca: options.ca })
        const session: Session = { client, streams: 0, trusted: false, over: false }
        all.add(client)
        const ended = () => {
          session.over = true
          if (live === session) live = undefined
          wake()
        }
        client.once("connect", () => {
          live = session
          resolve(session)
        })
        client.on("error", (error) => {
          reject(error)
          ended()
        })
        client.on("goaway", ended)
        client.on("close", () => {
          all.delete(client)
          reject(new Error("the connection was closed"))
          ended()
        })
        client.on("remoteSettings", wake)
      }).finally(() => {
        opening = undefined
      })

    const limitOf = ({ client, trusted }: Session) =>
      trusted ? Math.min(maxStreams, client.remoteSettings?.maxConcurrentStreams ?? maxStreams) : 1

    /** A stream may be free, or there may be another session. */
    const freed = Effect.callback<void>((resume) => {
      const waiter = () => resume(Effect.void)
      waiters.push(waiter)
      return Effect.sync(() => {
        const at = waiters.indexOf(waiter)
        if (at >= 0) waiters.splice(at, 1)
      })
    })

    /** A session with a free stream, which is taken. */
    const take: Effect.Effect<Session, TransientError> = Effect.suspend(() => {
      const session = live
      if (session !== undefined && !session.over && !session.client.closed) {
        if (session.streams < limitOf(session)) {
          session.streams++
          return Effect.succeed(session)
        }
        return Effect.andThen(freed, take)
      }
      opening ??= connect()
      const connected = opening
      return Effect.andThen(
        Effect.tryPromise({
          try: () => connected,
          catch: (cause) => unavailable(`APNs cannot be reached: ${cause instanceof Error ? cause.message : "closed"}`),
        }),
        take,
      )
    })

    const give = (session: Session) =>
      Effect.sync(() => {
        session.streams--
        wake()
      })

    const exchange = (session: Session, path: string, headers: Readonly<Record<string, string>>, body: string) =>
      Effect.callback<Answer, "not_seen" | OutcomeUnknown>((resume) => {
        if (session.over || session.client.closed || session.client.destroyed) return resume(Effect.fail("not_seen"))
        const stream = session.client.request({ ":method": "POST", ":path": path, ...headers })
        let answered: Http2.IncomingHttpHeaders & Http2.IncomingHttpStatusHeader = {}
        let text = ""
        stream.setEncoding("utf8")
        stream.on("response", (got) => {
          answered = got
        })
        stream.on("data", (chunk: string) => {
          text += chunk
        })
        stream.on("end", () => {
          const status = answered[":status"]
          if (status !== undefined) resume(Effect.succeed({ status, headers: answered, body: text }))
        })
        // The reason comes with `close`, which always follows.
        stream.on("error", () => {})
        stream.on("close", () => {
          if (answered[":status"] !== undefined && stream.readableEnded) return
          const refused = stream.rstCode === Http2.constants.NGHTTP2_REFUSED_STREAM
          resume(
            Effect.fail(
              refused || stream.id === undefined
                ? "not_seen"
                : new OutcomeUnknown({ message: "the connection to APNs ended before the answer" }),
            ),
          )
        })
        stream.end(body)
        return Effect.sync(() => stream.close(Http2.constants.NGHTTP2_CANCEL))
      })

    const post = (
      path: string,
      headers: Readonly<Record<string, string>>,
      body: string,
      left = resends,
    ): Effect.Effect<Answer, TransientError | OutcomeUnknown> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(take), (session) =>
          Effect.ensuring(restore(exchange(session, path, headers, body)), give(session)),
        ),
      ).pipe(
        Effect.catch((error) => {
          if (error !== "not_seen") return Effect.fail(error)
          return left > 0
            ? post(path, headers, body, left - 1)
            : Effect.fail(unavailable("APNs closed its connections before it took the push"))
        }),
      )

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
      post: (path, headers, body) => post(path, headers, body),
      trusted: Effect.sync(() => {
        if (live === undefined || live.trusted) return
        live.trusted = true
        wake()
      }),
    }
  })

const unavailable = (message: string) => new TransientError({ dependency: "apns", code: "unavailable", message })
