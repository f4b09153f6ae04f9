import { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
import { Attachments } from "../../request/Attachments.ts";
import { layer as providerLayer, UnknownOutcome, Refusal, } from "../../provider/Provider.ts";
import * as ProviderDescriptor from "../../provider/ProviderDescriptor.ts";
import { httpProtocols } from "../../provider/ProviderSettings.ts";
import * as HttpCall from "../HttpCall.ts";
import * as Mail from "./Mail.ts";
import { tagName, tagOf } from "./SesTag.ts";
const name = "ses";
export const layer = (options) => providerLayer(make(options));
export const ses = ProviderDescriptor.define({
    name,
    title: "Amazon SES",
    channel: "email",
    settings: {
        SES_REGION: {
            kind: "text",
            isRequired: true,
            description: "region of Amazon SES",
            defaultText: "off",
            example: "eu-west-1",
        },
        SES_ENDPOINT: {
            kind: "url",
            protocols: httpProtocols,
            description: "endpoint of SES, for tests",
            example: "http://localhost:8005",
        },
        SES_TOPICS: {
            kind: "list",
            pattern: /^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+$/,
            isRequired: true,
            items: "ARNs of SNS topics such as arn:aws:sns:eu-west-1:123456789012:ses-reports",
            description: "ARNs of the SNS topics that may report deliveries of SES, separated by commas",
            defaultText: "off",
            example: "arn:aws:sns:eu-west-1:123456789012:ses-reports",
        },
    },
    layer: ({ SES_ENDPOINT: endpoint, SES_REGION: region }, { from, limits }) => layer({ region, reports: true, ...(endpoint === undefined ? {} : { endpoint }), from, ...limits }),
    webhook: ({ SES_TOPICS: topics }) => import("../../webhooks/SesWebhook.ts").then(({ routes }) => routes({ topics })),
});
export const make = Effect.fnUntraced(function* (options) {
    const from = yield* Mail.parseSender(options.from);
    const attachments = yield* Attachments;
    const { SendEmailCommand, SESv2Client, SESv2ServiceException } = yield* Effect.promise(() => import("@aws-sdk/client-sesv2"));
    const { createTransport } = yield* Effect.promise(() => import("nodemailer"));
    const client = new SESv2Client({
        region: options.region,
        // The worker loop owns the retries.
        maxAttempts: 1,
        ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
        ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    });
    yield* Effect.addFinalizer(() => Effect.sync(() => client.destroy()));
    const composer = createTransport({ streamTransport: true, buffer: true, newline: "windows" });
    const send = Effect.fnUntraced(function* (message) {
        const mail = yield* Mail.make(message, from, attachments);
        if (Mail.needsSmtpUtf8(mail)) {
            return yield* new PermanentError({
                code: "smtputf8_unsupported",
                message: "Amazon SES sends only to addresses with ASCII characters before the @; use an ASCII address",
            });
        }
        const raw = yield* Effect.tryPromise({
            // This composer would write the blind copies into the message.
            try: () => composer.sendMail(Mail.toNodemailer({ ...mail, bcc: [] })),
            catch: (cause) => new PermanentError({
                code: "refused",
                message: "the mail cannot be composed; check its addresses, headers and attachments",
                cause,
            }),
        });
        const sent = yield* Effect.tryPromise({
            try: (abortSignal) => client.send(new SendEmailCommand({
                FromEmailAddress: mail.from.address,
                Destination: {
                    ToAddresses: [mail.to],
                    // Only these addresses receive the mail; its header fields are for readers.
                    ...(mail.cc.length === 0 ? {} : { CcAddresses: [...mail.cc] }),
                    ...(mail.bcc.length === 0 ? {} : { BccAddresses: [...mail.bcc] }),
                },
                Content: { Raw: { Data: Buffer.isBuffer(raw.message) ? raw.message : Buffer.from(String(raw.message)) } },
                EmailTags: [{ Name: tagName, Value: tagOf(message.deliveryId) }],
                ...(options.configurationSet === undefined ? {} : { ConfigurationSetName: options.configurationSet }),
            }), { abortSignal }),
            catch: (cause) => toProviderError(cause, from.address, (error) => error instanceof SESv2ServiceException),
        });
        return sent.MessageId === undefined ? {} : { providerId: sent.MessageId };
    });
    return {
        name,
        channels: ["email"],
        reports: options.reports,
        ...(options.maxPerSecond === undefined ? {} : { maxPerSecond: options.maxPerSecond }),
        send,
    };
});
const throttlingErrors = new Set([
    "TooManyRequestsException",
    "ThrottlingException",
    "Throttling",
    "LimitExceededException",
]);
const configurationErrors = new Set([
    "AccountSuspendedException",
    "SendingPausedException",
    "MailFromDomainNotVerifiedException",
    "NotFoundException",
    "AccessDeniedException",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "InvalidClientTokenId",
    "ExpiredTokenException",
    "CredentialsProviderError",
]);
const quotaRetryMillis = 3_600_000;
const toProviderError = (cause, sender, isServiceError) => {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    const message = `SES: ${error.name} ${error.message}`;
    if (configurationErrors.has(error.name))
        return new ConfigurationError({ setting: "SES_REGION", message, cause });
    if (/not verified/i.test(error.message)) {
        if (error.message.includes(sender))
            return new ConfigurationError({ setting: "MAIL_FROM", message, cause });
        // In its sandbox SES sends only to verified addresses.
        return new Refusal({ fault: "recipient", reason: "refused", setting: "SES_REGION", message });
    }
    if (throttlingErrors.has(error.name)) {
        const isDailyQuota = /daily message quota/i.test(error.message);
        return new TransientError({
            dependency: name,
            code: "throttled",
            message,
            retryAfterMillis: isDailyQuota ? quotaRetryMillis : 1_000,
        });
    }
    if (!isServiceError(error)) {
        return HttpCall.wasNotSent(HttpCall.errorCodeOf(error))
            ? new TransientError({ dependency: name, code: "unavailable", message, cause })
            : new UnknownOutcome({ message });
    }
    const status = error.$metadata.httpStatusCode ?? 0;
    if (status === 401 || status === 403)
        return new ConfigurationError({ setting: "SES_REGION", message, cause });
    if (status >= 500)
        return new TransientError({ dependency: name, code: "unavailable", message });
    return new Refusal({ fault: "message", reason: "refused", setting: "SES_REGION", message });
};
