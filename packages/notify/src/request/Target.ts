/** The recipients of a request as targets. Each target is validated before a provider receives it. */
import type { PayloadOf } from "@armoricore/domain/EventRegistry"
import type { Recipient } from "@armoricore/domain/events/notification"
import type { NotificationChannel, Target } from "@armoricore/domain/NotificationState"
import { hash } from "node:crypto"

type NotificationRequest = PayloadOf<"notification.requested">

/**
 * The recipients, or else the target in `data`: `email`, or `device_token` with `platform`. Empty if the request has
 * neither.
 */
export const targetsOf = ({ data = {}, notification_type, recipients }: NotificationRequest): ReadonlyArray<Target> => {
  if (recipients !== undefined && recipients.length > 0) return recipients.map(targetOf)
  if (notification_type === "email") {
    return typeof data["email"] === "string" && data["email"] !== "" ? [targetOf({ email: data["email"] })] : []
  }
  const token = data["device_token"]
  if (typeof token !== "string" || token === "") return []
  return [data["platform"] === "ios" ? targetOf({ apns_token: token }) : targetOf({ fcm_token: token })]
}

const targetOf = (recipient: Recipient): Target => {
  if ("fcm_token" in recipient) return { channel: "fcm", token: recipient.fcm_token.trim() }
  if ("apns_token" in recipient) return { channel: "apns", token: recipient.apns_token.trim() }
  if ("web_push" in recipient) return { channel: "web_push", subscription: recipient.web_push }
  return { channel: "email", address: recipient.email.trim() }
}

/** Identifies the target within its channel: the address, the endpoint or the token. */
export const identityOf = (target: Target): string =>
  target.channel === "email"
    ? target.address.toLowerCase()
    : target.channel === "web_push"
      ? target.subscription.endpoint
      : target.token

/** SHA-256 in lower-case hex. It identifies the target without revealing it. */
export const hashOf = (target: Target): string => hash("sha256", identityOf(target))

export const deliveryIdOf = (notificationId: string, target: Target): string =>
  `${notificationId}.${target.channel}.${hashOf(target).slice(0, 16)}`

/** A version 8 UUID that is stable for a delivery. Apple requires ids in this form. */
export const uuidOf = (deliveryId: string): string => {
  const digest = hash("sha256", `delivery:${deliveryId}`)
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-a${digest.slice(17, 20)}-${digest.slice(20, 32)}`
}

/** The name of the platform in `device.token_invalid`. */
export const platformOf = (channel: NotificationChannel): string =>
  ({ fcm: "fcm", apns: "ios", web_push: "web", email: "" })[channel]

export interface TargetError {
  readonly reason: "wrong_recipient" | "malformed_token" | "malformed_address"
  readonly message: string
}

/** Why a message to this target is impossible; undefined for a valid target. */
export const validateTarget = (
  target: Target,
  type: NotificationRequest["notification_type"],
): TargetError | undefined => {
  if ((target.channel === "email") !== (type === "email")) {
    return {
      reason: "wrong_recipient",
      message: `a notification of type ${type} cannot go to a ${target.channel} recipient`,
    }
  }
  switch (target.channel) {
    case "email":
      return isEmailAddress(target.address)
        ? undefined
        : { reason: "malformed_address", message: "this is not an e-mail address; use the form name@example.com" }
    case "fcm":
      return /^[\x21-\x7e]{8,4096}$/.test(target.token)
        ? undefined
        : malformed("an FCM token has 8 to 4,096 printable ASCII characters and no spaces")
    case "apns":
      return /^([0-9a-fA-F]{2}){16,100}$/.test(target.token)
        ? undefined
        : malformed("an APNs token consists of hexadecimal digits")
    case "web_push": {
      const { endpoint, keys } = target.subscription
      if (!URL.canParse(endpoint) || endpoint.length > 2_048)
        return malformed("the endpoint of a subscription is a URL of at most 2,048 characters")
      if (decodedLength(keys.p256dh) !== 65)
        return malformed("keys.p256dh is a P-256 public key of 65 bytes in base64url")
      return decodedLength(keys.auth) === 16 ? undefined : malformed("keys.auth is 16 bytes in base64url")
    }
  }
}

const malformed = (message: string): TargetError => ({ reason: "malformed_token", message })

const decodedLength = (base64url: string): number =>
  /^[A-Za-z0-9_-]+={0,2}$/.test(base64url) ? Buffer.from(base64url, "base64url").length : -1

/** A plain `local@domain`: no display name, list, quotes or character that could end a header. */
const isEmailAddress = (text: string): boolean =>
  text.length <= 254 &&
  /^[^\s"(),:;<>@[\\\]\p{Cc}]{1,64}@[^\s"(),:;<>@[\\\]\p{Cc}]+$/u.test(text) &&
  /^[^.-].*[^.-]$/u.test(text.slice(text.indexOf("@") + 1)) &&
  !text.includes("..")
