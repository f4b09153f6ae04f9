/**
 * One-click unsubscribe (RFC 8058). The link contains the hash of an address and a category with a signature: it reveals
 * no address and cannot be forged. GET shows a page with a button, because mail scanners open links. POST unsubscribes.
 */
import { securityHeaders } from "@armoricore/domain/PageSecurity"
import type { Target } from "@armoricore/domain/NotificationState"
import { PublicUrl } from "@armoricore/storage/PublicUrl"
import { Context, Effect, Layer, Redacted } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createHmac, timingSafeEqual } from "node:crypto"
import { html, page } from "../request/Html.ts"
import { type PageTexts, textsFor } from "./PageTexts.ts"
import { Suppressions } from "./Suppressions.ts"
import { hashOf } from "../request/Target.ts"

export const path = "/v1/unsubscribe"

export const preferencesPath = "/v1/preferences"

/** The user, with the address of the mail that has the link and the category of that mail. */
export interface PreferencesClaim extends UnsubscribeClaim {
  readonly userId: string
}

export interface UnsubscribeClaim {
  readonly hash: string
  readonly category: string
}

export class UnsubscribeLinks extends Context.Service<
  UnsubscribeLinks,
  {
    readonly urlFor: (target: Target, category: string) => Effect.Effect<string | undefined>
    /** Undefined: the signature is not valid. */
    readonly verify: (token: string) => UnsubscribeClaim | undefined
    /** The page on which the user of this address chooses what to receive. */
    readonly preferencesUrlFor: (userId: string, target: Target, category: string) => Effect.Effect<string | undefined>
    readonly verifyPreferences: (token: string) => PreferencesClaim | undefined
  }
>()("@armoricore/notify/UnsubscribeLinks") {
  /** `key` is the secret of the HMAC. Anyone with it can unsubscribe any address. */
  static readonly layer = (options: {
    readonly key: Redacted.Redacted<string>
  }): Layer.Layer<UnsubscribeLinks, never, PublicUrl> =>
    Layer.effect(
      UnsubscribeLinks,
      Effect.map(PublicUrl, (publicUrl) => ({
        urlFor: (target, category) =>
          Effect.map(publicUrl.get, (url) => `${url}${path}/${sign(options.key, { hash: hashOf(target), category })}`),
        verify: (token) => verify(options.key, token),
        preferencesUrlFor: (userId, target, category) =>
          Effect.map(
            publicUrl.get,
            (url) =>
              `${url}${preferencesPath}/${signPreferences(options.key, { userId, hash: hashOf(target), category })}`,
          ),
        verifyPreferences: (token) => verifyPreferences(options.key, token),
      })),
    )

  /** No links: for installations without a public URL. */
  static readonly layerNone: Layer.Layer<UnsubscribeLinks> = Layer.succeed(UnsubscribeLinks, {
    urlFor: () => Effect.succeed(undefined),
    verify: () => undefined,
    preferencesUrlFor: () => Effect.succeed(undefined),
    verifyPreferences: () => undefined,
  })
}

const signatureOf = (key: Redacted.Redacted<string>, body: string, purpose = "unsubscribe"): Buffer =>
  createHmac("sha256", Redacted.value(key)).update(`${purpose}:${body}`).digest().subarray(0, 16)

/** The body of a token whose signature is valid. */
const verifiedBody = (key: Redacted.Redacted<string>, token: string, purpose: string): Buffer | undefined => {
  const [body = "", mac = "", ...more] = token.split(".")
  const signature = Buffer.from(mac, "base64url")
  const expected = signatureOf(key, body, purpose)
  if (more.length > 0 || signature.length !== expected.length || !timingSafeEqual(signature, expected)) return undefined
  return Buffer.from(body, "base64url")
}

const signPreferences = (key: Redacted.Redacted<string>, { category, hash, userId }: PreferencesClaim): string => {
  const body = Buffer.concat([Buffer.from(hash, "hex"), Buffer.from(`${category}\n${userId}`)]).toString("base64url")
  return `${body}.${signatureOf(key, body, "preferences").toString("base64url")}`
}

const verifyPreferences = (key: Redacted.Redacted<string>, token: string): PreferencesClaim | undefined => {
  const bytes = verifiedBody(key, token, "preferences")
  if (bytes === undefined) return undefined
  const [category = "", userId = ""] = bytes.subarray(32).toString().split("\n")
  return { hash: bytes.subarray(0, 32).toString("hex"), category, userId }
}

const sign = (key: Redacted.Redacted<string>, { category, hash }: UnsubscribeClaim): string => {
  const body = Buffer.concat([Buffer.from(hash, "hex"), Buffer.from(category)]).toString("base64url")
  return `${body}.${signatureOf(key, body).toString("base64url")}`
}

const verify = (key: Redacted.Redacted<string>, token: string): UnsubscribeClaim | undefined => {
  const bytes = verifiedBody(key, token, "unsubscribe")
  if (bytes === undefined) return undefined
  return { hash: bytes.subarray(0, 32).toString("hex"), category: bytes.subarray(32).toString() }
}

/** The texts for the reader who sent the request. */
export const textsOf = (locale?: string) =>
  Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) => textsFor(locale, headers["accept-language"]))

/** `GET` and `POST /v1/unsubscribe/{token}`. */
export const routes = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const unsubscribe = yield* UnsubscribeLinks
    const suppressions = yield* Suppressions
    const token = Effect.map(HttpRouter.params, ({ token = "" }) => unsubscribe.verify(token))

    yield* router.add(
      "GET",
      `${path}/:token`,
      Effect.gen(function* () {
        const texts = yield* textsOf()
        const claim = yield* token
        if (claim === undefined) return unknownLink(texts)
        const body = html`<h1>${texts.unsubscribe}</h1>
          <p>${texts.stop(claim.category)}</p>
          <form method="post"><button>${texts.unsubscribe}</button></form>`
        return htmlResponse(200, body.text, texts.unsubscribe, texts)
      }),
    )
    yield* router.add(
      "POST",
      `${path}/:token`,
      Effect.gen(function* () {
        const texts = yield* textsOf()
        const claim = yield* token
        if (claim === undefined) return unknownLink(texts)
        const added = yield* Effect.result(
          suppressions.add(claim.hash, { reason: "unsubscribed", source: "reader" }, claim.category),
        )
        if (added._tag === "Failure") {
          yield* Effect.logError(`an unsubscription could not be stored: ${added.failure.message}`)
          return messagePage(503, texts, texts.tryAgain, texts.unavailable)
        }
        yield* Effect.logInfo("a reader unsubscribed", { category: claim.category })
        return messagePage(200, texts, texts.unsubscribed, texts.stopped(claim.category))
      }),
    )
  }),
)

export const htmlResponse = (status: number, body: string, title: string, { language }: PageTexts) =>
  HttpServerResponse.text(page(title, body, language), {
    status,
    contentType: "text/html; charset=utf-8",
    headers: {
      ...securityHeaders({ "style-src": "'unsafe-inline'", "form-action": "'self'" }),
      "cache-control": "no-store",
    },
  })

/** A page of one sentence. */
export const messagePage = (status: number, texts: PageTexts, title: string, sentence: string) =>
  htmlResponse(
    status,
    html`<h1>${title}</h1>
      <p>${sentence}</p>`.text,
    title,
    texts,
  )

export const unknownLink = (texts: PageTexts) => messagePage(404, texts, texts.unknownLink, texts.incompleteLink)
