/** Every provider that the program offers. E-mail providers are tried in this order unless `MAIL_PROVIDERS` is set. */
import { apns } from "./push/Apns.ts";
import { fcm } from "./push/Fcm.ts";
import { webPush } from "./push/WebPush.ts";
import { sendGrid } from "./email/SendGrid.ts";
import { ses } from "./email/Ses.ts";
import { smtp } from "./email/Smtp.ts";
import { smsHttp } from "./sms/SmsHttp.ts";
import { twilio } from "./sms/Twilio.ts";
import { discord } from "./chat/Discord.ts";
import { signedWebhook } from "./chat/SignedWebhook.ts";
import { slack } from "./chat/Slack.ts";
import { teams } from "./chat/Teams.ts";
export const providers = [
    fcm,
    apns,
    webPush,
    smtp,
    sendGrid,
    ses,
    twilio,
    smsHttp,
    slack,
    teams,
    discord,
    signedWebhook,
];
