/** Verifies the signatures of Amazon SNS messages. Certificates and confirmations are fetched only from SNS hosts. */
import { TransientError } from "@armoricore/domain/Errors";
import { Effect, Schema } from "effect";
import { verify, X509Certificate } from "node:crypto";
import { parseJson } from "../providers/HttpCall.ts";
import { reject } from "./WebhookResponse.ts";
const Message = Schema.Struct({
    Type: Schema.String,
    MessageId: Schema.String,
    TopicArn: Schema.String,
    Message: Schema.String,
    Timestamp: Schema.String,
    Signature: Schema.String,
    SignatureVersion: Schema.String,
    SigningCertURL: Schema.String,
    Subject: Schema.optionalKey(Schema.String),
    Token: Schema.optionalKey(Schema.String),
    SubscribeURL: Schema.optionalKey(Schema.String),
});
const decode = Schema.decodeUnknownOption(Message);
const maxCertificates = 20;
/** Creates a reader of messages with a certificate cache. */
export const make = (fetchText = fetchFromSns) => {
    const certificates = new Map();
    const certificateAt = Effect.fnUntraced(function* (url) {
        const cached = certificates.get(url.href);
        if (cached !== undefined)
            return cached;
        const text = yield* fetchText(url);
        const certificate = yield* Effect.orElseSucceed(Effect.try(() => new X509Certificate(text)), () => undefined);
        if (certificate === undefined)
            return yield* reject(401, "bad_certificate", "the certificate of SNS is not valid");
        if (certificates.size >= maxCertificates)
            certificates.clear();
        certificates.set(url.href, certificate);
        return certificate;
    });
    const read = Effect.fn("Sns.read")(function* (raw) {
        const decoded = decode(yield* parseJson(raw.toString()));
        if (decoded._tag === "None")
            return yield* reject(400, "undecodable", "the body is not an SNS message");
        const message = decoded.value;
        const url = yield* snsUrl(message.SigningCertURL);
        if (!url.pathname.endsWith(".pem"))
            return yield* reject(401, "bad_certificate", "SigningCertURL must name a .pem file");
        const algorithm = { "1": "sha1", "2": "sha256" }[message.SignatureVersion];
        if (algorithm === undefined)
            return yield* reject(401, "bad_signature", "the signature version is unknown");
        const certificate = yield* certificateAt(url);
        const signature = Buffer.from(message.Signature, "base64");
        if (!verify(algorithm, Buffer.from(signedText(message)), certificate.publicKey, signature)) {
            return yield* reject(401, "bad_signature", "the signature is not from SNS");
        }
        return message;
    });
    const confirm = Effect.fn("Sns.confirm")(function* (message) {
        yield* fetchText(yield* snsUrl(message.SubscribeURL ?? ""));
        yield* Effect.logInfo("SNS subscription confirmed", { topic: message.TopicArn });
    });
    return { read, confirm };
};
/** Only SNS hosts: a message must not choose its own certificate authority, or make this server call other hosts. */
const snsUrl = (text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    return url !== undefined &&
        url.protocol === "https:" &&
        url.port === "" &&
        url.username === "" &&
        /^sns\.[a-z0-9-]{1,40}\.amazonaws\.com(\.cn)?$/.test(url.hostname)
        ? Effect.succeed(url)
        : reject(401, "foreign_host", "SigningCertURL and SubscribeURL must be https URLs of an SNS host");
};
const signedText = (message) => {
    const names = message.Type === "Notification"
        ? ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
        : ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
    return names
        .filter((name) => message[name] !== undefined)
        .map((name) => `${name}\n${message[name]}\n`)
        .join("");
};
const fetchFromSns = (url) => Effect.tryPromise({
    try: async (signal) => {
        const response = await fetch(url, { signal, redirect: "error" });
        if (!response.ok)
            throw new Error(`SNS responded with ${response.status}`);
        return response.text();
    },
    catch: (cause) => new TransientError({ dependency: "ses", code: "unavailable", message: `${url.host} could not be read`, cause }),
}).pipe(Effect.timeoutOrElse({
    duration: "10 seconds",
    orElse: () => Effect.fail(new TransientError({
        dependency: "ses",
        code: "timeout",
        message: `${url.host} did not respond within 10 seconds`,
    })),
}));
