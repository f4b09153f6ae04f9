/** The devices of a user that receive push notifications, and the user's registered mail address. */
import { Schema } from "effect"
import { WebPushSubscription } from "./events/notification.ts"

/**
 * `android` and `fcm` have a token of Firebase, `ios` one of APNs, `web` a subscription; `email` an address and `sms` a phone number as
 * its token.
 */
export const platforms = ["ios", "android", "fcm", "web", "email", "sms"] as const
export const Platform = Schema.Literals(platforms)
export type Platform = typeof Platform.Type

const fields = {
  platform: Platform,
  token: Schema.optionalKey(Schema.String),
  web_push: Schema.optionalKey(WebPushSubscription),
  /** One of several apps: its APNs topic and Firebase project are configured under this name. */
  app: Schema.optionalKey(Schema.String),
  /** BCP 47. */
  locale: Schema.optionalKey(Schema.String),
  /** IANA. */
  time_zone: Schema.optionalKey(Schema.String),
}

export const Device = Schema.Struct({
  device_id: Schema.String,
  ...fields,
  /** When this token was registered last, RFC 3339: a provider's report about an earlier time does not concern it. */
  registered_at: Schema.String,
  /** The provider rejected the token. The device receives nothing until it registers again. */
  invalid: Schema.optionalKey(Schema.Struct({ reason: Schema.String, at: Schema.String })),
})
export type Device = typeof Device.Type

/** All devices of one user, by the time of their registration. */
export const DeviceList = Schema.Struct({ devices: Schema.Array(Device) })
export type DeviceList = typeof DeviceList.Type

/** The user and the device that have a token. */
export const TokenOwner = Schema.Struct({ user_id: Schema.String, device_id: Schema.String })
