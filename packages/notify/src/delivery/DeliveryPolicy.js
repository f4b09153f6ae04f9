/** The settings for deliveries. */
import { Context, Duration } from "effect";
export const DeliveryPolicy = Context.Reference("@armoricore/notify/DeliveryPolicy", {
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
});
