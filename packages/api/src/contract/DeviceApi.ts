/** The registry of devices: where push notifications and mail of a user go. */
import { Device, Platform } from "@armoricore/domain/Device"
import { optionalNullable } from "@armoricore/domain/JsonCodecs"
import { Locale, TimeZone } from "@armoricore/domain/Localization"
import { WebPushSubscription } from "@armoricore/domain/events/notification"
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { problems } from "../Problem.ts"
import { userParams } from "./InboxApi.ts"
import { NoStore, PublisherCredentials } from "./Security.ts"

export const AppName = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9._-]{1,100}$/u, { expected: "1 to 100 characters of A-Z a-z 0-9 . _ -" }),
)

interface Registration {
  readonly platform: Platform
  readonly token?: string
  readonly web_push?: typeof WebPushSubscription.Type
}

const tokenRules: Readonly<Record<Exclude<Platform, "web">, readonly [pattern: RegExp, expected: string]>> = {
  ios: [/^(?:[0-9a-fA-F]{2}){16,100}$/, "an APNs token consists of hexadecimal digits"],
  android: [/^[\x21-\x7e]{1,4096}$/, "an FCM token has 1 to 4,096 printable ASCII characters and no spaces"],
  fcm: [/^[\x21-\x7e]{1,4096}$/, "an FCM token has 1 to 4,096 printable ASCII characters and no spaces"],
  sms: [
    /^\+[1-9](?:[\s().-]*[0-9]){6,14}$/,
    "a phone number has a + and 7 to 15 digits with the country code, for example +15005550006",
  ],
  email: [/^[^\s"(),:;<>@[\\\]\p{Cc}]{1,64}@[^\s"(),:;<>@[\\\]\p{Cc}]{1,190}$/u, "use the form name@example.com"],
}

const faultOf = ({ platform, token, web_push }: Registration) => {
  if (platform === "web") {
    if (web_push === undefined || token !== undefined)
      return { path: ["web_push"], issue: "a device of the platform web has web_push and no token" }
    return URL.canParse(web_push.endpoint) && web_push.endpoint.length <= 2_048
      ? undefined
      : { path: ["web_push", "endpoint"], issue: "the endpoint is a URL of at most 2,048 characters" }
  }
  if (token === undefined || web_push !== undefined)
    return { path: ["token"], issue: `a device of the platform ${platform} has a token and no web_push` }
  const [pattern, issue] = tokenRules[platform]
  return pattern.test(token.trim()) ? undefined : { path: ["token"], issue }
}

export const DeviceRegistration = Schema.Struct({
  platform: Platform.annotate({
    description:
      "`ios`: a token of APNs. `android` and `fcm`: a token of Firebase. `web`: a subscription. `email`: an address as `token`. " +
      "`sms`: a phone number with + and country code as `token`.",
  }),
  token: optionalNullable(Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(4_096))),
  web_push: optionalNullable(WebPushSubscription),
  app: optionalNullable(AppName.annotate({ description: "One of several apps, as in `APNS_APPS` and `FCM_APPS`." })),
  locale: optionalNullable(Locale),
  time_zone: optionalNullable(TimeZone),
})
  .check(Schema.makeFilter(faultOf))
  .annotate({ identifier: "DeviceRegistration" })

/** Without the token: it is a secret of the device. */
export const DeviceResponse = Schema.Struct({
  device_id: Schema.String,
  platform: Platform,
  token_hash: Schema.String.annotate({ description: "As in `device.token_invalid`." }),
  app: Device.fields.app,
  locale: Device.fields.locale,
  time_zone: Device.fields.time_zone,
  registered_at: Device.fields.registered_at,
}).annotate({ identifier: "Device" })

const deviceParams = {
  ...userParams,
  device_id: Schema.String.annotate({ description: "Chosen by the app: 1 to 128 characters of A-Z a-z 0-9 . _ -" }),
}

const who = "The user's own token, the role `publisher` or `operator`, or a signature of the body."

export class DeviceApi extends HttpApiGroup.make("devices")
  .add(
    HttpApiEndpoint.get("list", "/v1/users/:id/devices", {
      params: userParams,
      success: Schema.Struct({ devices: Schema.Array(DeviceResponse) }),
      error: problems(401, 403, 422, 503),
    }).annotateMerge(OpenApi.annotations({ summary: "List the devices of a user", description: who })),
    HttpApiEndpoint.put("register", "/v1/users/:id/devices/:device_id", {
      params: deviceParams,
      payload: DeviceRegistration,
      success: DeviceResponse,
      error: problems(400, 401, 403, 413, 422, 503),
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Register a device, or its new token",
        description:
          "An app sends this at each start. A token that another user had registered moves to this user. A user has at " +
          `most 50 devices; a further one replaces the one that registered longest ago. ${who}`,
      }),
    ),
    HttpApiEndpoint.delete("remove", "/v1/users/:id/devices/:device_id", {
      params: deviceParams,
      success: HttpApiSchema.NoContent,
      error: problems(401, 403, 404, 422, 503),
    }).annotateMerge(OpenApi.annotations({ summary: "Remove a device, for example at sign-out", description: who })),
  )
  .middleware(PublisherCredentials)
  .middleware(NoStore)
  .annotateMerge(OpenApi.annotations({ title: "Devices" })) {}
