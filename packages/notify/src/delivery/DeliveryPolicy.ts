/** The settings for deliveries. */
import { Context, Duration } from "effect"

export interface DeliveryPolicy {
  /**
   * The maximum number of concurrent deliveries per channel and process, and also of first attempts in push batches.
   */
  readonly concurrency: number
  /** If the provider has not replied within this time, the outcome is unknown. */
  readonly callTimeout: Duration.Duration
  /**
   * The total time that a delivery may wait for an available provider. After it, each further wait counts as a failed
   * attempt.
   */
  readonly maxProviderWait: Duration.Duration
  /**
   * If true, an e-mail that a provider may have accepted is sent again with the same Message-ID, after `reportTimeout` if
   * its provider reports deliveries. If false, it is never sent again; it ends as `unknown`.
   */
  readonly resendUnknownMail: boolean
  readonly reportTimeout: Duration.Duration
  /** How long an e-mail that servers defer is tried again, counted from the request. */
  readonly mailRetryFor: Duration.Duration
  /** The delay after the first deferral; it doubles with each further one. */
  readonly minMailRetryDelay: Duration.Duration
  readonly maxMailRetryDelay: Duration.Duration
}

export const DeliveryPolicy = Context.Reference<DeliveryPolicy>("@armoricore/notify/DeliveryPolicy", {
  defaultValue: () => ({
    concurrency: 100,
    callTimeout: Duration.seconds(20),
    maxProviderWait: Duration.hours(24),
    resendUnknownMail: false,
    reportTimeout: Duration.minutes(5),
    mailRetryFor: Duration.hours(24),
    minMailRetryDelay: Duration.minutes(1),
    maxMailRetryDelay: Duration.hours(1),
  }),
})
