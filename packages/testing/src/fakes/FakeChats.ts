/**
 * The incoming webhooks of Slack, Microsoft Teams and Discord, and a receiver of signed webhooks, for tests: over TLS, with the
 * documented responses. The last part of the path decides the answer; see `responses`. Other paths accept.
 */
import { Context, Effect, Layer } from "effect"
import { createServer } from "node:https"
import { listen } from "../LocalPort.ts"
import * as FakeHttpServer from "./FakeHttpServer.ts"
import { certificate, privateKey } from "./TestCertificate.ts"

export interface ReceivedMessage {
  readonly path: string
  readonly headers: FakeHttpServer.RecordedRequest["headers"]
  readonly text: string
  readonly body: Readonly<Record<string, unknown>>
}

export type ChatKind = "slack" | "teams" | "discord" | "webhook"

export class FakeChats extends Context.Service<
  FakeChats,
  {
    /** The URL of a webhook; `answer` is a name of `responses`. */
    readonly urlOf: (kind: ChatKind, answer?: string) => string
    readonly received: Array<ReceivedMessage>
    readonly ca: string
  }
>()("@armoricore/testing/FakeChats") {
  static readonly layer: Layer.Layer<FakeChats> = Layer.effect(
    FakeChats,
    Effect.suspend(() => make),
  )
}

type Answer = FakeHttpServer.FakeResponse & { readonly times?: number }

const text = (status: number, body: string): Answer => ({ status, headers: { "content-type": "text/plain" }, body })
const json = (status: number, body: object): Answer => ({ status, body: JSON.stringify(body) })
const connectorFailure = (status: number) =>
  text(
    200,
    `Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error ${status} with ContextId tcid=0.`,
  )

const responses: Readonly<Record<ChatKind, Readonly<Record<string, Answer>>>> = {
  slack: {
    ok: text(200, "ok"),
    throttled: { ...text(429, "rate_limited"), headers: { "retry-after": "1" }, times: 1 },
    removed: text(404, "no_service"),
    archived: text(410, "channel_is_archived"),
    prohibited: text(403, "action_prohibited"),
    rollup: { ...text(500, "rollup_error"), times: 1 },
  },
  teams: {
    ok: { status: 202 },
    connector: text(200, "1"),
    throttled: { ...connectorFailure(429), times: 1 },
    refused: connectorFailure(413),
    removed: { status: 404 },
  },
  discord: {
    ok: json(200, { type: 0, id: "1137105789420867674", channel_id: "1" }),
    throttled: {
      ...json(429, { message: "You are being rate limited.", retry_after: 1, global: false }),
      headers: { "retry-after": "1" },
      times: 1,
    },
    removed: json(404, { message: "Unknown Webhook", code: 10_015 }),
    token: json(401, { message: "Invalid Webhook Token", code: 50_027 }),
    invalid: json(400, { message: "Invalid Form Body", code: 50_035 }),
  },
  webhook: {
    ok: { status: 204 },
    busy: { status: 503, headers: { "retry-after": "1" }, times: 1 },
    removed: { status: 410 },
    moved: { status: 301, headers: { location: "https://example.com/" } },
    cut: { status: 0, disconnect: true, times: 1 },
  },
}

const make = Effect.gen(function* () {
  const received: Array<ReceivedMessage> = []
  const counts = new Map<string, number>()

  const answer = (request: FakeHttpServer.RecordedRequest): FakeHttpServer.FakeResponse => {
    const { pathname } = new URL(request.path, "https://localhost")
    const [, kind = "", name = "ok"] = pathname.split("/")
    const count = (counts.get(pathname) ?? 0) + 1
    counts.set(pathname, count)
    const whole = request.body.toString()
    received.push({ path: request.path, headers: request.headers, text: whole, body: JSON.parse(whole) })
    const known = isKind(kind) ? responses[kind] : {}
    const chosen = known[name]
    if (chosen === undefined) return { status: 404 }
    return chosen.times !== undefined && count > chosen.times ? (known["ok"] ?? { status: 404 }) : chosen
  }

  const server = FakeHttpServer.bufferedServer(
    (listener) => createServer({ key: privateKey, cert: certificate }, listener),
    answer,
  )
  const port = yield* listen(server)
  return FakeChats.of({
    urlOf: (kind, name = "ok") => `https://localhost:${port}/${kind}/${name}`,
    received,
    ca: certificate,
  })
})

const isKind = (text: string): text is ChatKind => Object.hasOwn(responses, text)
