/** What an operator may decide about deliveries. */
import { Context, Duration } from "effect"

export interface DeliveryPolicy {
  /** Deliveries at once, per channel and process; and as many first tries of pushes to many. */
  readonly concurrency: number
  /** A provider that has not answered by then leaves the outcome unknown. */
  readonly callTimeout: Duration.Duration
  /** How long a delivery waits for its provider in all before waiting counts as failing. */
  readonly maxProviderWait: Duration.Duration
  /**
   * Strict: an e-mail that a provider may have taken is never sent again; it ends as `unknown`. Otherwise it is sent
   * again under the same Message-ID, after `reportWait` where its provider reports deliveries.
   */
  readonly strictMail: boolean
  readonly reportTimeout: Duration.Duration
}

export const DeliveryPolicy = Context.Reference<DeliveryPolicy>("@armoricore/notify/DeliveryPolicy", {
  defaultValue: () => ({
    concurrency: 100,
    callTimeout: Duration.seconds(20),
    maxProviderWait: Duration.hours(24),
    strictMail: true,
    reportTimeout: Duration.minutes(5),
  }),
})
