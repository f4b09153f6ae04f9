/** How often and how soon what failed for a passing reason is tried again; for all services, and where one differs. */
import type { RetryPolicy } from "@armoricore/worker/Retry"
import { Duration, Result } from "effect"
import { duration, int, json, optional, parseDuration, withDefault } from "./Setting.ts"

/** Who retries; `webhook` is the receiver of results. */
export const retrying = ["media", "notify", "ai", "realtime", "webhook"] as const
export type Retrying = (typeof retrying)[number]

interface Differing {
  readonly max_attempts?: number
  readonly base?: Duration.Duration
  readonly cap?: Duration.Duration
}

export type Policies = { readonly [S in Retrying]?: Differing }

const most = 100

const read = (service: string, value: object): Result.Result<Differing, string> => {
  const policy: { -readonly [F in keyof Differing]: Differing[F] } = {}
  for (const [field, part] of Object.entries(value)) {
    if (field === "max_attempts") {
      if (!Number.isInteger(part) || part < 1 || part > most)
        return Result.fail(`must have whole numbers from 1 to ${most} as max_attempts; ${service} has not`)
      policy.max_attempts = part
    } else if (field === "base" || field === "cap") {
      const time = parseDuration(String(part))
      if (Result.isFailure(time))
        return Result.fail(`must have durations such as "2 s" as base and cap; ${service} has ${JSON.stringify(part)}`)
      policy[field] = time.success
    } else {
      return Result.fail(`must be made of max_attempts, base and cap; ${service} has ${JSON.stringify(field)}`)
    }
  }
  return Result.succeed(policy)
}

const byService = optional<Policies>((text) =>
  Result.flatMap(json(text), (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return Result.fail('must be a JSON object such as {"notify":{"max_attempts":8}}')
    const found: { [S in Retrying]?: Differing } = {}
    for (const [name, part] of Object.entries(value)) {
      const service = retrying.find((known) => known === name)
      if (service === undefined || typeof part !== "object" || part === null)
        return Result.fail(`must be objects by service (${retrying.join(", ")}); ${JSON.stringify(name)} is none`)
      const policy = read(service, part)
      if (Result.isFailure(policy)) return Result.fail(policy.failure)
      found[service] = policy.success
    }
    return Result.succeed(found)
  }),
)

export const retries = {
  RETRY_MAX_ATTEMPTS: withDefault(
    int(1, most)({ meaning: "tries of a message whose handling fails for a passing reason" }),
    5,
    "5",
  ),
  RETRY_BASE: withDefault(
    duration({ meaning: "the wait before the second try; it doubles" }),
    Duration.seconds(1),
    "1 s",
  ),
  RETRY_CAP: withDefault(duration({ meaning: "the longest wait between tries" }), Duration.seconds(60), "60 s"),
  RETRY_SERVICES: byService({
    meaning: `where a service differs, as JSON by ${retrying.join(", ")}; what is left out is as above`,
    unset: "none; the webhook has 16 tries over some three hours",
    example: '{"notify":{"max_attempts":8,"base":"2 s","cap":"5 min"}}',
  }),
}

export const policyOf = ({ max_attempts: maxAttempts, ...times }: Differing = {}): Partial<RetryPolicy> => ({
  ...times,
  ...(maxAttempts === undefined ? {} : { maxAttempts }),
})

/** What holds for each service that differs. */
export const differing = (policies: Policies = {}): ReadonlyMap<string, Partial<RetryPolicy>> =>
  new Map(Object.entries(policies).map(([service, policy]) => [service, policyOf(policy)]))
