/** Delivers push notifications, e-mail, SMS and messages to chats. A provider's Layer is imported by its own path, `providers/…`. */
export { Deliveries } from "./delivery/Deliveries.ts";
export { DeliveryPolicy } from "./delivery/DeliveryPolicy.ts";
export { html } from "./request/Html.ts";
export * as ProviderDescriptor from "./provider/ProviderDescriptor.ts";
export * as DevMailboxPage from "./providers/dev/DevMailboxPage.ts";
export { Notifications } from "./request/Notifications.ts";
export * as NotifyService from "./NotifyService.ts";
export { Attachments } from "./request/Attachments.ts";
export { DeliveryReports } from "./delivery/DeliveryReports.ts";
export * as Provider from "./provider/Provider.ts";
export { CircuitOptions } from "./provider/ProviderCircuit.ts";
export { Suppressions } from "./unsubscribe/Suppressions.ts";
export * as Templates from "./request/Templates.ts";
export * as UnsubscribeLinks from "./unsubscribe/UnsubscribeLinks.ts";
export * as SendGridWebhook from "./webhooks/SendGridWebhook.ts";
export * as SesWebhook from "./webhooks/SesWebhook.ts";
export * as TwilioWebhook from "./webhooks/TwilioWebhook.ts";
