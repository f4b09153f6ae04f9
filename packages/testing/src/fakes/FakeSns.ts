/**
 * Amazon SNS for tests: signs notifications (signature version 1 and 2), serves the signing certificate, and notes which
 * subscriptions were confirmed.
 */
import { Context, Effect, Layer } from "effect"
import { sign } from "node:crypto"
import * as FakeHttpServer from "./FakeHttpServer.ts"
import { certificate, privateKey } from "./TestCertificate.ts"

type Fields = Readonly<Record<string, string>>

export class FakeSns extends Context.Service<
  FakeSns,
  {
    readonly topicArn: string
    /** The certificate as SNS would serve it. */
    readonly certificate: string
    /** `http://127.0.0.1:<port>`; stands for `https://sns.<region>.amazonaws.com`. */
    readonly baseUrl: string
    readonly confirmed: Array<string>
    /** A signed `Notification` with this message. */
    readonly notification: (message: object, change?: Fields, version?: "1" | "2") => string
    /** A signed `SubscriptionConfirmation`. */
    readonly confirmation: (change?: Fields) => string
    /** As another customer of SNS sends it: the signature covers the given fields, for example a foreign topic. */
    readonly foreignNotification: (message: object, fields: Fields) => string
    readonly foreignConfirmation: (fields: Fields) => string
  }
>()("@armoricore/testing/FakeSns") {
  static readonly layer: Layer.Layer<FakeSns> = Layer.effect(
    FakeSns,
    Effect.suspend(() => make),
  )
}

const topicArn = "arn:aws:sns:eu-west-1:123456789012:fake-topic"

const make = Effect.gen(function* () {
  const confirmed: Array<string> = []
  const baseUrl = yield* FakeHttpServer.listenHttp(({ path }) => {
    if (path.endsWith(".pem")) return { status: 200, headers: { "content-type": "text/plain" }, body: certificate }
    confirmed.push(path)
    return { status: 200, headers: { "content-type": "text/xml" }, body: "<ConfirmSubscriptionResponse/>" }
  })
  const signed = (fields: Fields, names: ReadonlyArray<string>, version: "1" | "2", change: Fields): string => {
    const text = names
      .filter((name) => fields[name] !== undefined)
      .map((name) => `${name}\n${fields[name]}\n`)
      .join("")
    return JSON.stringify({
      ...fields,
      SignatureVersion: version,
      Signature: sign(version === "1" ? "sha1" : "sha256", Buffer.from(text), privateKey).toString("base64"),
      SigningCertURL: "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-fake.pem",
      ...change,
    })
  }
  const common = () => ({ MessageId: crypto.randomUUID(), TopicArn: topicArn, Timestamp: new Date().toISOString() })
  const notification = (message: object): Fields => ({
    Type: "Notification",
    ...common(),
    Message: JSON.stringify(message),
  })
  const confirmation = (): Fields => ({
    Type: "SubscriptionConfirmation",
    ...common(),
    Message: "You have chosen to subscribe",
    Token: "fake-confirmation",
    SubscribeURL: "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=fake-confirmation",
  })
  return {
    topicArn,
    certificate,
    baseUrl,
    confirmed,
    notification: (message: object, change: Fields = {}, version: "1" | "2" = "2") =>
      signed(notification(message), notificationNames, version, change),
    confirmation: (change: Fields = {}) => signed(confirmation(), confirmationNames, "2", change),
    foreignNotification: (message: object, fields: Fields) =>
      signed({ ...notification(message), ...fields }, notificationNames, "2", {}),
    foreignConfirmation: (fields: Fields) => signed({ ...confirmation(), ...fields }, confirmationNames, "2", {}),
  } satisfies FakeSns["Service"]
})

const notificationNames = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
const confirmationNames = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
