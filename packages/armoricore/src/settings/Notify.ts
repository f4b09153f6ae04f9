/** How notifications are sent, whoever the provider is: rates, templates, links to unsubscribe, outcomes nobody knows. */
import { Result } from "effect"
import { choice, list, longSecret, optional, text, withDefault } from "./Setting.ts"

/** As `Route.name` has them. */
export const providerNames = ["fcm", "apns", "web_push", "smtp", "sendgrid", "ses"] as const
export type ProviderName = (typeof providerNames)[number]

/** `apns:500,smtp:10`: calls a second of one process. */
const providerRates = optional<ReadonlyMap<ProviderName, number>>((value) => {
  const found = new Map<ProviderName, number>()
  for (const part of value.split(",")) {
    const [, given = "", rate = ""] = /^\s*([a-z_]+)\s*:\s*([0-9]+(?:\.[0-9]+)?)\s*$/.exec(part) ?? []
    const name = providerNames.find((known) => known === given)
    if (name === undefined || !(Number(rate) > 0) || found.has(name))
      return Result.fail(
        `must be routes with calls a second, such as apns:500,smtp:10; routes are ${providerNames.join(", ")}, each once`,
      )
    found.set(name, Number(rate))
  }
  return Result.succeed(found)
})

/** A topic that is written wrong would refuse every report. */
const snsTopics = optional<ReadonlyArray<string>>((value) =>
  Result.flatMap(list({ description: "" }).parse(value), (found = []) =>
    found.every((arn) => /^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+$/.test(arn))
      ? Result.succeed(found)
      : Result.fail("must be ARNs of SNS topics such as arn:aws:sns:eu-west-1:123456789012:ses-reports"),
  ),
)

export const notify = {
  NOTIFY_RATE_LIMITS: providerRates({
    description: "calls a second of each process to a provider, route:rate separated by commas",
    defaultText: "no limit but the provider's",
    example: "apns:500,ses:14",
  }),
  NOTIFY_TEMPLATES: text({
    description: "path of a folder of templates, NAME.json with title, text and html",
    defaultText: "none",
    example: "/etc/armoricore/templates",
  }),
  MAIL_RESEND_UNKNOWN: withDefault(
    choice(
      "stop",
      "resend",
    )({
      description:
        "a mail that its provider may have taken, without an answer: stop leaves it as unknown, resend sends it again under the same Message-ID",
    }),
    "stop",
    "stop",
  ),
  SES_TOPICS: snsTopics({
    description: "ARNs of the SNS topics that may report for SES, separated by commas",
    defaultText: "any; only SES knows the ids of our deliveries",
    example: "arn:aws:sns:eu-west-1:123456789012:ses-reports",
  }),
  UNSUBSCRIBE_SECRET: longSecret(16)({
    description: "the secret that links to unsubscribe are signed with, at least 16 characters; links outlive tokens",
    defaultText: "made of JWT_SECRET, else a random one kept in the state",
    example: "…",
  }),
}
