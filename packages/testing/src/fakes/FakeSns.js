/**
 * Amazon SNS for tests: signs notifications (signature version 1 and 2), serves the signing certificate, and notes which
 * subscriptions were confirmed.
 */
import { Context, Effect, Layer } from "effect";
import { sign } from "node:crypto";
import * as FakeHttpServer from "./FakeHttpServer.ts";
import { certificate, privateKey } from "./TestCertificate.ts";
export class FakeSns extends Context.Service()("@armoricore/testing/FakeSns") {
    static layer = Layer.effect(FakeSns, Effect.suspend(() => make));
}
const topicArn = "arn:aws:sns:eu-west-1:123456789012:fake-topic";
const make = Effect.gen(function* () {
    const confirmed = [];
    const baseUrl = yield* FakeHttpServer.listenHttp(({ path }) => {
        if (path.endsWith(".pem"))
            return { status: 200, headers: { "content-type": "text/plain" }, body: certificate };
        confirmed.push(path);
        return { status: 200, headers: { "content-type": "text/xml" }, body: "<ConfirmSubscriptionResponse/>" };
    });
    const signed = (fields, names, version, change) => {
        const text = names
            .filter((name) => fields[name] !== undefined)
            .map((name) => `${name}\n${fields[name]}\n`)
            .join("");
        return JSON.stringify({
            ...fields,
            SignatureVersion: version,
            Signature: sign(version === "1" ? "sha1" : "sha256", Buffer.from(text), privateKey).toString("base64"),
            SigningCertURL: "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-fake.pem",
            ...change,
        });
    };
    const common = () => ({ MessageId: crypto.randomUUID(), TopicArn: topicArn, Timestamp: new Date().toISOString() });
    const notification = (message) => ({
        Type: "Notification",
        ...common(),
        Message: JSON.stringify(message),
    });
    const confirmation = () => ({
        Type: "SubscriptionConfirmation",
        ...common(),
        Message: "You have chosen to subscribe",
        Token: "fake-confirmation",
        SubscribeURL: "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=fake-confirmation",
    });
    return {
        topicArn,
        certificate,
        baseUrl,
        confirmed,
        notification: (message, change = {}, version = "2") => signed(notification(message), notificationNames, version, change),
        confirmation: (change = {}) => signed(confirmation(), confirmationNames, "2", change),
        foreignNotification: (message, fields) => signed({ ...notification(message), ...fields }, notificationNames, "2", {}),
        foreignConfirmation: (fields) => signed({ ...confirmation(), ...fields }, confirmationNames, "2", {}),
    };
});
const notificationNames = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
const confirmationNames = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
