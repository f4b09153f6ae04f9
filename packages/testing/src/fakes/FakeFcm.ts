/**
 * Firebase Cloud Messaging with its OAuth token endpoint, for tests. The assertion's RS256 signature and claims are
 * verified; access tokens are checked on every message. What a device token is called decides the answer, see
 * {@link scenarios}; every accepted message is in `sent`.
 */
import { Context, Effect, Layer, Redacted } from "effect"
import { exportPKCS8, generateKeyPair, jwtVerify } from "jose"
import * as HttpServers from "./HttpServers.ts"

export interface SentPush {
  readonly token: string
  readonly message: Readonly<Record<string, unknown>>
  /** Position in the order of arrival. */
  readonly at: number
}

export class FakeFcm extends Context.Service<
  FakeFcm,
  {
    readonly baseUrl: string
    readonly serviceAccount: Redacted.Redacted<string>
    /** Accepted messages. */
    readonly sent: Array<SentPush>
    /** Device tokens of every request, accepted or not. */
    readonly asked: Array<string>
    /** How often the token endpoint gave an access token. */
    readonly tokensGiven: () => number
    /** Access tokens that were given so far are refused from now on. */
    readonly expireTokens: () => void
    /** While true everything is answered with 503. */
    down: boolean
    /** Decides before the scenarios do; undefined leaves it to them. */
    answer: (token: string) => Scenario | undefined
  }
>()("@armoricore/testing/FakeFcm") {
  static readonly layer: Layer.Layer<FakeFcm> = Layer.effect(
    FakeFcm,
    Effect.suspend(() => make),
  )
}

export interface Scenario {
  readonly status: number
  readonly code: string
  readonly fcm?: boolean
  readonly headers?: Readonly<Record<string, string>>
  /** Only the first so many requests with the token. */
  readonly times?: number
  readonly cut?: true
}

/** The start of a device token → what it is answered with; any other token is accepted. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  "dead-": { status: 404, code: "UNREGISTERED", fcm: true },
  "invalid-": { status: 400, code: "INVALID_ARGUMENT", fcm: true },
  "field-": { status: 400, code: "INVALID_ARGUMENT" },
  "sender-": { status: 403, code: "SENDER_ID_MISMATCH", fcm: true },
  "thirdparty-": { status: 401, code: "THIRD_PARTY_AUTH_ERROR", fcm: true },
  "quota-": { status: 429, code: "QUOTA_EXCEEDED", fcm: true },
  "throttled-": { status: 429, code: "QUOTA_EXCEEDED", fcm: true, headers: { "retry-after": "1" }, times: 1 },
  "busy-": { status: 503, code: "UNAVAILABLE", fcm: true, headers: { "retry-after": "2" }, times: 1 },
  "internal-": { status: 500, code: "INTERNAL", fcm: true, times: 1 },
  "broken-": { status: 503, code: "UNAVAILABLE", fcm: true },
  "cut-": { status: 0, code: "", cut: true, times: 1 },
}

const project = "fake-project"
const email = "notify@fake-project.iam.gserviceaccount.com"

const make = Effect.gen(function* () {
  const { privateKey, publicKey } = yield* Effect.promise(() => generateKeyPair("RS256", { extractable: true }))
  const pem = yield* Effect.promise(() => exportPKCS8(privateKey))
  const access = new Set<string>()
  const seen = new Map<string, number>()
  const sent: Array<SentPush> = []
  const asked: Array<string> = []
  let given = 0
  const answerToken = async (body: Buffer): Promise<HttpServers.Answer> => {
    const form = new URLSearchParams(body.toString())
    const sound = await jwtVerify(form.get("assertion") ?? "", publicKey, {
      issuer: email,
      audience: `${baseUrl}/token`,
      algorithms: ["RS256"],
    }).then(
      ({ payload }) =>
        payload["scope"] === "https://www.googleapis.com/auth/firebase.messaging" &&
        (payload.exp ?? 0) - (payload.iat ?? 0) <= 3_600,
      () => false,
    )
    if (!sound || form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer") {
      return { status: 400, body: JSON.stringify({ error: "invalid_grant" }) }
    }
    const token = `ya29.${crypto.randomUUID()}`
    access.add(token)
    given++
    return { status: 200, body: JSON.stringify({ access_token: token, expires_in: 3_599, token_type: "Bearer" }) }
  }

  const answer = (request: HttpServers.Asked): HttpServers.Answer | Promise<HttpServers.Answer> => {
    if (request.path === "/token") return answerToken(request.body)
    if (request.path !== `/v1/projects/${project}/messages:send`) return { status: 404, body: "{}" }
    if (!access.has(request.headers.authorization?.slice("Bearer ".length) ?? "")) {
      return refusal({ status: 401, code: "UNAUTHENTICATED" })
    }
    const { message } = JSON.parse(request.body.toString())
    const token: string = message.token
    asked.push(token)
    if (fake.down) return refusal({ status: 503, code: "UNAVAILABLE", fcm: true })
    const count = (seen.get(token) ?? 0) + 1
    seen.set(token, count)
    const [, usual] = Object.entries(scenarios).find(([prefix]) => token.startsWith(prefix)) ?? []
    const scenario = fake.answer(token) ?? usual
    if (scenario !== undefined && count <= (scenario.times ?? Infinity)) {
      // A cut connection is one whose message was taken: the device gets it.
      if (scenario.cut === true) sent.push({ token, message, at: sent.length })
      return refusal(scenario)
    }
    sent.push({ token, message, at: sent.length })
    return { status: 200, body: JSON.stringify({ name: `projects/${project}/messages/${crypto.randomUUID()}` }) }
  }

  const baseUrl = yield* HttpServers.http(answer)
  const fake: FakeFcm["Service"] = {
    baseUrl,
    serviceAccount: Redacted.make(
      JSON.stringify({
        type: "service_account",
        project_id: project,
        private_key: pem,
        client_email: email,
        token_uri: `${baseUrl}/token`,
      }),
    ),
    sent,
    asked,
    tokensGiven: () => given,
    expireTokens: () => access.clear(),
    down: false,
    answer: () => undefined,
  }
  return fake
})

const refusal = ({ code, cut, fcm, headers = {}, status }: Scenario): HttpServers.Answer => ({
  status,
  headers,
  ...(cut === true ? { cut } : {}),
  body: JSON.stringify({
    error: {
      code: status,
      message: `refused: ${code}`,
      status: code,
      details:
        fcm === true
          ? [{ "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", errorCode: code }]
          : [
              {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                fieldViolations: [{ field: "message.data", description: "wrong" }],
              },
            ],
    },
  }),
})
