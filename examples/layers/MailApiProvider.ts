/** A notification provider of one's own: e-mail goes to a mail service that speaks JSON over HTTP. */
import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import { Provider } from "@armoricore/notify"
import { Effect, Redacted } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"

export interface MailApiOptions {
  readonly url: string
  readonly key: Redacted.Redacted<string>
}

const make = Effect.fnUntraced(function* (options: MailApiOptions) {
  const http = yield* HttpClient.HttpClient

  const send = Effect.fnUntraced(
    function* (message: Provider.Message) {
      if (message.target.channel !== "email")
        return yield* new PermanentError({ code: "wrong_channel", message: "the mail service takes e-mail alone" })
      const response = yield* http.execute(
        HttpClientRequest.post(`${options.url}/send`).pipe(
          HttpClientRequest.bearerToken(options.key),
          // The same id at every try, so that the mail service can recognise a repetition.
          HttpClientRequest.setHeader("idempotency-key", message.uuid),
          HttpClientRequest.bodyJsonUnsafe({ to: message.target.address, subject: message.title, text: message.text }),
        ),
      )
      switch (response.status) {
        case 200:
          return { providerId: message.uuid }
        // The class decides what happens next: the table is at the top of notify's Route.ts.
        case 401:
          return yield* new ConfigurationError({
            setting: "MAIL_API_KEY",
            message: "the mail service refuses MAIL_API_KEY",
          })
        case 404:
          return yield* new Provider.InvalidTarget({ reason: "mailbox_unknown", message: "nobody has this address" })
        case 429:
          return yield* new TransientError({
            dependency: "mail_api",
            code: "throttled",
            message: "the mail service is busy",
            retryAfterMillis: Number(response.headers["retry-after"] ?? 1) * 1000,
          })
        default:
          return yield* new TransientError({
            dependency: "mail_api",
            code: "unavailable",
            message: `${response.status}`,
          })
      }
    },
    // The request left, and nobody knows what became of it: notify's policy decides.
    Effect.catchTag("HttpClientError", ({ message }) => Effect.fail(new Provider.UnknownOutcome({ message }))),
  )

  return { name: "mail_api", channels: ["email"], reports: false, send } satisfies Provider.Provider
})

export const layer = (options: MailApiOptions) => Provider.layer(make(options))
