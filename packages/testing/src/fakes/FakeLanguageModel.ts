/**
 * A server of OpenAI's chat API for tests. It "translates" to upper case and outlines by position; it refuses what the real one
 * refuses (no model, a wrong key, an unknown path), and misbehaves as real ones do, one habit at a time.
 */
import { Context, Effect, Layer } from "effect"
import * as FakeHttpServer from "./FakeHttpServer.ts"

export const apiKey = "sk-of-the-fake-model"

export interface ModelBehavior {
  /** So many requests are answered with 429 and `retry-after`. */
  rateLimitedRequests: number
  /** So many requests are answered with 500. */
  failingRequests: number
  /** Every request: 429 with `insufficient_quota`. */
  quotaUsedUp: boolean
  /** The same from this number of answers on. */
  quotaUsedUpAfter: number
  /** So many answers are prose instead of JSON. */
  proseAnswers: number
  /** So many translations are longer than their caption can be, and so many titles of outlines than a title. */
  inflatedAnswers: number
  /** Every answer is the page of a proxy, with status 200. */
  webPage: boolean
  /** The JSON is in a code block, as of servers that ignore `response_format`. */
  fenced: boolean
  /** Every answer is a refusal. */
  refusing: boolean
  /** Answers with more cues are cut off: `finish_reason: length`. */
  maxCues: number
  /** The last cue is left out where a question has more than one. */
  losingCount: boolean
  /** Milliseconds until an answer. */
  delay: number
}

interface Cue {
  readonly id: number
  readonly text: string
}

interface Asked {
  readonly task: string
  readonly input: { readonly cues?: ReadonlyArray<Cue>; readonly transcript?: ReadonlyArray<{ readonly cue: number }> }
}

export class FakeLanguageModel extends Context.Service<
  FakeLanguageModel,
  {
    /** Without `/v1`. */
    readonly url: string
    readonly behavior: ModelBehavior
    /** Requests that were answered with 200. */
    readonly asked: Array<Asked>
    /** Statuses of all answers. */
    readonly statuses: Array<number>
  }
>()("@armoricore/testing/FakeLanguageModel") {
  static readonly layer: Layer.Layer<FakeLanguageModel> = Layer.effect(
    FakeLanguageModel,
    Effect.suspend(() => make),
  )
}

const answerOf = ({ input, task }: Asked, { losingCount }: ModelBehavior): unknown => {
  if (task === "translation") {
    const cues = (input.cues ?? []).map(({ id, text }) => ({ id, text: text.toUpperCase() }))
    return { cues: losingCount && cues.length > 1 ? cues.slice(0, -1) : cues }
  }
  const numbers = (input.transcript ?? []).map(({ cue }) => cue)
  const chapters = [numbers[0], numbers[Math.floor(numbers.length / 2)], 99_999]
  return {
    title: "A voyage",
    summary: "Words follow\none another.",
    // The last one names a cue that does not exist.
    ...(numbers.length === 0 ? {} : { chapters: chapters.map((cue) => ({ cue, title: `From cue ${cue}` })) }),
  }
}

const make = Effect.gen(function* () {
  const behavior: ModelBehavior = {
    rateLimitedRequests: 0,
    failingRequests: 0,
    quotaUsedUp: false,
    quotaUsedUpAfter: Number.POSITIVE_INFINITY,
    proseAnswers: 0,
    inflatedAnswers: 0,
    webPage: false,
    fenced: false,
    refusing: false,
    maxCues: Number.POSITIVE_INFINITY,
    losingCount: false,
    delay: 0,
  }
  const asked: Array<Asked> = []
  const statuses: Array<number> = []
  const refuse = (status: number, message: string, headers: Readonly<Record<string, string>> = {}, code = "error") => ({
    status,
    headers,
    body: JSON.stringify({ error: { message, code } }),
  })
  const answer = (request: FakeHttpServer.RecordedRequest): FakeHttpServer.FakeResponse => {
    if (request.path !== "/v1/chat/completions") return refuse(404, "no such path")
    if (request.headers.authorization !== `Bearer ${apiKey}`) return refuse(401, "Incorrect API key provided")
    if (behavior.quotaUsedUp || asked.length >= behavior.quotaUsedUpAfter)
      return refuse(429, "You exceeded your current quota", {}, "insufficient_quota")
    if (behavior.rateLimitedRequests > 0) {
      behavior.rateLimitedRequests--
      return refuse(429, "Rate limit reached", { "retry-after": "0.05" })
    }
    if (behavior.failingRequests > 0) {
      behavior.failingRequests--
      return refuse(500, "The server had an error")
    }
    const body = JSON.parse(request.body.toString())
    if (typeof body.model !== "string") return refuse(400, "you must provide a model parameter")
    const schema = JSON.stringify(body.response_format?.json_schema?.schema ?? null)
    if (
      body.response_format?.json_schema?.strict !== true ||
      !/^[a-zA-Z0-9_-]{1,64}$/.test(body.response_format.json_schema.name)
    )
      return refuse(400, "response_format is required")
    // Strict mode has no lengths and no open objects; a union without a type is also none.
    if (/"(?:minLength|maxLength|allOf)"/.test(schema))
      return refuse(400, "Invalid schema: the keyword is not permitted")
    if (
      (schema.match(/"type":"object"/g) ?? []).length !== (schema.match(/"additionalProperties":false/g) ?? []).length
    )
      return refuse(400, "Invalid schema: 'additionalProperties' is required to be supplied and to be false")
    const question: Asked = {
      task: body.response_format.json_schema.name,
      input: JSON.parse(body.messages.at(-1).content),
    }
    asked.push(question)
    if (behavior.webPage) return { status: 200, body: "<!doctype html><title>Sign in</title>" }
    const isInflated = behavior.inflatedAnswers > 0
    if (isInflated) behavior.inflatedAnswers--
    const isProse = behavior.proseAnswers > 0
    if (isProse) behavior.proseAnswers--
    const isCut = (question.input.cues?.length ?? 0) > behavior.maxCues
    const json = JSON.stringify(answerOf(question, behavior), (name, value) =>
      isInflated && (name === "text" || name === "title") ? String(value).repeat(500) : value,
    )
    const content = isProse
      ? "Here is your translation: "
      : isCut
        ? json.slice(0, json.length / 2)
        : behavior.fenced
          ? `\`\`\`json\n${json}\n\`\`\``
          : json
    const message = behavior.refusing
      ? { role: "assistant", content: null, refusal: "I cannot help with that." }
      : { role: "assistant", content }
    return {
      status: 200,
      body: JSON.stringify({
        choices: [{ index: 0, message, finish_reason: isCut ? "length" : "stop" }],
        usage: { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 },
      }),
    }
  }
  const url = yield* FakeHttpServer.listenHttp(async (request) => {
    if (behavior.delay > 0) await new Promise((resolve) => setTimeout(resolve, behavior.delay))
    const answered = answer(request)
    statuses.push(answered.status)
    return answered
  })
  return { url, behavior, asked, statuses }
})
