/** The recipients of a request as targets. Each target is validated before a provider receives it. */
import type { PayloadOf } from "@armoricore/domain/EventRegistry"
import type { Device } from "@armoricore/domain/Device"
import type { NotificationType, Recipient } from "@armoricore/domain/events/notification"
import type { NotificationChannel, Target } from "@armoricore/domain/NotificationState"
import { canonicalAddress } from "@armoricore/state/SuppressionList"
import { Context, Redacted } from "effect"
import { hash, randomBytes } from "node:crypto"

type NotificationRequest = PayloadOf<"notification.requested">

/**
 * The recipients, or else the target in `data`: `email`, `phone`, or `device_token` with `platform`. Empty if the request
 * has none.
 */
export const targetsOf = ({
  data = {},
  notification_type,
  recipients,
  user_id,
}: NotificationRequest): ReadonlyArray<Target> => {
  if (recipients !== undefined && recipients.length > 0) return recipients.map(targetOf)
  const textOf = (field: string): ReadonlyArray<string> =>
    typeof data[field] === "string" && data[field] !== "" ? [data[field]] : []
  if (notification_type === "in_app") return [{ channel: "in_app", user_id }]
  if (notification_type === "email") return textOf("email").map((email) => targetOf({ email }))
  if (notification_type === "sms") return textOf("phone").map((sms) => targetOf({ sms }))
  if (notification_type !== "push") return []
  const token = data["device_token"]
  if (typeof token !== "string" || token === "") return []
  return [data["platform"] === "ios" ? targetOf({ apns_token: token }) : targetOf({ fcm_token: token })]
}

export const targetOf = (recipient: Recipient): Target => {
  if ("fcm_token" in recipient) return { channel: "fcm", token: recipient.fcm_token.trim(), ...appOf(recipient) }
  if ("fcm_topic" in recipient)
    return { channel: "fcm", topic: recipient.fcm_topic.trim().replace(/^\/topics\//, ""), ...appOf(recipient) }
  if ("fcm_condition" in recipient)
    return { channel: "fcm", condition: recipient.fcm_condition.trim(), ...appOf(recipient) }
  if ("apns_token" in recipient) return { channel: "apns", token: recipient.apns_token.trim(), ...appOf(recipient) }
  if ("web_push" in recipient) {
    const { endpoint, keys } = recipient.web_push
    // Browsers return the keys as bytes. Pages encode them with `btoa` or in base64url; providers expect base64url.
    const subscription = { endpoint, keys: { p256dh: toBase64Url(keys.p256dh), auth: toBase64Url(keys.auth) } }
    return { channel: "web_push", subscription }
  }
  if ("email" in recipient) return { channel: "email", address: recipient.email.trim() }
  // Numbers are written with blanks, dashes, dots and parentheses.
  if ("sms" in recipient) return { channel: "sms", number: recipient.sms.replace(/[\s().-]/g, "") }
  if ("slack" in recipient) return { channel: "slack", url: recipient.slack.trim() }
  if ("teams" in recipient) return { channel: "teams", url: recipient.teams.trim() }
  if ("discord" in recipient) return { channel: "discord", url: recipient.discord.trim() }
  return { channel: "webhook", url: recipient.webhook.trim() }
}

const appOf = ({ app }: { readonly app?: string }) => (app === undefined ? {} : { app })

/** The target of a registered device. */
export const targetOfDevice = (device: Device): Target => {
  const { platform, token = "", web_push } = device
  if (web_push !== undefined) return targetOf({ web_push })
  if (platform === "email") return targetOf({ email: token })
  if (platform === "sms") return targetOf({ sms: token })
  return targetOf(platform === "ios" ? { apns_token: token, ...appOf(device) } : { fcm_token: token, ...appOf(device) })
}

/** Of base64 in the standard alphabet or base64url, with or without padding. */
const toBase64Url = (text: string): string => text.trim().replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")

/** Identifies the target within its channel: the address, the endpoint, the number, the URL or the token. */
export const identityOf = (target: Target): string => {
  switch (target.channel) {
    case "email":
      return canonicalAddress(target.address)
    case "web_push":
      return target.subscription.endpoint
    case "sms":
      return target.number
    case "in_app":
      return target.user_id
    case "fcm":
      if ("topic" in target) return `/topics/${target.topic}`
      return "condition" in target ? target.condition : target.token
    case "apns":
      return target.token
    default:
      return target.url
  }
}

/** SHA-256 in lower-case hex. It identifies the target without revealing it. */
export const hashOf = (target: Target): string => hash("sha256", identityOf(target))

/**
 * The key of the MAC in delivery ids. Every process of an installation should use the same key. The ids of a notification
 * are stored with it, so a new key affects only later notifications. The default is random for each process.
 */
export const DeliveryIdKey = Context.Reference<Redacted.Redacted<string>>("@armoricore/notify/DeliveryIdKey", {
  defaultValue: () => Redacted.make(randomBytes(32).toString("base64url")),
})

/**
 * `{notification id}.{channel}.{32 hex digits}`. Mails contain their delivery id, and a provider's report names it. The
 * digits are a MAC of the target, so that a recipient cannot compute the id of another recipient and forge its report.
 */
export const deliveryIdOf = (key: Redacted.Redacted<string>, notificationId: string, target: Target): string => {
  const prefix = `${notificationId}.${target.channel}`
  const mac = macOf(key, `delivery:${prefix}:${identityOf(target)}`)
  return `${prefix}.${mac.slice(0, 32)}`
}

/** HMAC-SHA-256 in hex by two digests in one shot: half the cost of `createHmac`, of which each push needs one. */
const macOf = (key: Redacted.Redacted<string>, text: string): string => {
  const { inner, outer } = padsOf(key)
  const bytes = inner.length + 3 * text.length
  const input = bytes <= scratch.length ? scratch : Buffer.allocUnsafe(bytes)
  inner.copy(input)
  const end = inner.length + input.write(text, inner.length)
  outer.copy(outerScratch)
  hash("sha256", input.subarray(0, end), "buffer").copy(outerScratch, outer.length)
  return hash("sha256", outerScratch, "hex")
}

/** Inputs of digests, which are read at once: a copy for each would cost as much as a digest. */
const scratch = Buffer.alloc(1_024)
const outerScratch = Buffer.alloc(64 + 32)

interface Pads {
  readonly inner: Buffer
  readonly outer: Buffer
}
const pads = new WeakMap<Redacted.Redacted<string>, Pads>()

/** RFC 2104. */
const padsOf = (key: Redacted.Redacted<string>): Pads => {
  const known = pads.get(key)
  if (known !== undefined) return known
  const bytes = Buffer.from(Redacted.value(key))
  const block = Buffer.alloc(64)
  block.set(bytes.byteLength > 64 ? hash("sha256", bytes, "buffer") : bytes)
  const fresh = {
    inner: Buffer.from(block.map((byte) => byte ^ 0x36)),
    outer: Buffer.from(block.map((byte) => byte ^ 0x5c)),
  }
  pads.set(key, fresh)
  return fresh
}

/** A version 8 UUID that is stable for a delivery. Apple requires ids in this form. */
export const uuidOf = (deliveryId: string): string => {
  const digest = hash("sha256", `delivery:${deliveryId}`)
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-a${digest.slice(17, 20)}-${digest.slice(20, 32)}`
}

/** The properties of a channel that its deliveries depend on. */
export interface ChannelTraits {
  /** The `notification_type` of requests for it. */
  readonly type: NotificationType
  /** The platform in `device.token_invalid`; empty: an invalid target is suppressed instead. */
  readonly platform: string
  /** A receiver recognises a message that is sent again, so that one with an unknown outcome may be repeated. */
  readonly isRepeatable: boolean
}

/** A new channel is one entry here, its literal and target in `domain/NotificationState`, and its providers. */
export const channelTraits: { readonly [C in NotificationChannel]: ChannelTraits } = {
  fcm: { type: "push", platform: "fcm", isRepeatable: true },
  apns: { type: "push", platform: "ios", isRepeatable: true },
  web_push: { type: "push", platform: "web", isRepeatable: true },
  email: { type: "email", platform: "", isRepeatable: false },
  in_app: { type: "in_app", platform: "", isRepeatable: true },
  sms: { type: "sms", platform: "sms", isRepeatable: false },
  slack: { type: "slack", platform: "slack", isRepeatable: false },
  teams: { type: "teams", platform: "teams", isRepeatable: false },
  discord: { type: "discord", platform: "discord", isRepeatable: false },
  webhook: { type: "webhook", platform: "webhook", isRepeatable: true },
}

/** The name of the platform in `device.token_invalid`. */
export const platformOf = (channel: NotificationChannel): string => channelTraits[channel].platform

/** The type of the notifications that a channel delivers. */
export const typeOf = (channel: NotificationChannel): NotificationType => channelTraits[channel].type

export interface TargetError {
  readonly reason:
    | "wrong_recipient"
    | "malformed_topic"
    | "malformed_token"
    | "malformed_address"
    | "malformed_number"
    | "malformed_url"
  readonly message: string
}

/** Why a message to this target is impossible; undefined for a valid target. */
export const validateTarget = (target: Target, type: NotificationType | undefined): TargetError | undefined => {
  if (typeOf(target.channel) !== type) {
    return {
      reason: "wrong_recipient",
      message: `a notification of type ${type} cannot go to a ${target.channel} recipient`,
    }
  }
  switch (target.channel) {
    case "in_app":
      return undefined
    case "email":
      return isEmailAddress(target.address)
        ? undefined
        : { reason: "malformed_address", message: "this is not an e-mail address; use the form name@example.com" }
    case "fcm":
      if ("topic" in target) return /^[A-Za-z0-9_.~%-]{1,900}$/.test(target.topic) ? undefined : malformedTopic
      if ("condition" in target) return isCondition(target.condition) ? undefined : malformedCondition
      return /^[\x21-\x7e]{1,4096}$/.test(target.token)
        ? undefined
        : malformed("an FCM token has 1 to 4,096 printable ASCII characters and no spaces")
    case "apns":
      return /^([0-9a-fA-F]{2}){16,100}$/.test(target.token)
        ? undefined
        : malformed("an APNs token consists of hexadecimal digits")
    case "web_push": {
      const { endpoint, keys } = target.subscription
      if (!URL.canParse(endpoint) || endpoint.length > 2_048)
        return malformed("the endpoint of a subscription is a URL of at most 2,048 characters")
      if (decodedLength(keys.p256dh) !== 65)
        return malformed("keys.p256dh is a P-256 public key of 65 bytes in base64 or base64url")
      return decodedLength(keys.auth) === 16 ? undefined : malformed("keys.auth is 16 bytes in base64 or base64url")
    }
    case "sms":
      return /^\+[1-9][0-9]{6,14}$/.test(target.number)
        ? undefined
        : {
            reason: "malformed_number",
            message: "a phone number has a + and 7 to 15 digits with the country code, for example +15005550006",
          }
    default:
      return isHttpsUrl(target.url)
        ? undefined
        : { reason: "malformed_url", message: "a webhook is an https URL of at most 2,048 characters" }
  }
}

const malformedTopic: TargetError = {
  reason: "malformed_topic",
  message: "a topic of FCM has 1 to 900 characters of A-Z a-z 0-9 - _ . ~ %",
}
const malformedCondition: TargetError = {
  reason: "malformed_topic",
  message: "a condition of FCM combines up to five topics: 'news' in topics && ('fr' in topics || 'de' in topics)",
}

/** FCM takes up to five topics, joined by && and ||, with parentheses and !. */
const isCondition = (text: string): boolean => {
  const topics = text.match(/'[A-Za-z0-9_.~%-]+'\s+in\s+topics/g) ?? []
  if (topics.length === 0 || topics.length > 5 || text.length > 5_000) return false
  // Reduces the text until only one operand remains.
  let rest = text.replaceAll(/'[A-Za-z0-9_.~%-]+'\s+in\s+topics/g, "t").replaceAll(/\s+/g, "")
  for (let before = ""; before !== rest;) {
    before = rest
    rest = rest
      .replaceAll("!t", "t")
      .replaceAll("(t)", "t")
      .replaceAll(/t(?:&&|\|\|)t/g, "t")
  }
  return rest === "t"
}

const isHttpsUrl = (text: string): boolean =>
  text.length <= 2_048 && URL.canParse(text) && new URL(text).protocol === "https:"

const malformed = (message: string): TargetError => ({ reason: "malformed_token", message })

const decodedLength = (base64url: string): number =>
  /^[A-Za-z0-9_-]+$/.test(base64url) ? Buffer.from(base64url, "base64url").length : -1

/** A plain `local@domain`: no display name, list, quotes or character that could end a header. */
export const isEmailAddress = (text: string): boolean =>
  text.length <= 254 &&
  /^[^\s"(),:;<>@[\\\]\p{Cc}]{1,64}@[^\s"(),:;<>@[\\\]\p{Cc}]+$/u.test(text) &&
  /^[^.-].*[^.-]$/u.test(text.slice(text.indexOf("@") + 1)) &&
  !text.includes("..")
