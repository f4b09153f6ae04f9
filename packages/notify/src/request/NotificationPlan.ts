/** Turns a request into a notification: one content for every channel, and one planned delivery for each target. */
import { PermanentError } from "@armoricore/domain/Errors"
import type { EventOf } from "@armoricore/domain/EventRegistry"
import type {
  NotificationContent,
  NotificationState,
  DeliveryEntry,
  Target,
} from "@armoricore/domain/NotificationState"
import { isNonEmptyKey, notificationIdOf, PushOptions } from "@armoricore/domain/events/notification"
import { UserDevices } from "@armoricore/state/UserDevices"
import * as Timestamp from "@armoricore/domain/Timestamp"
import { Clock, Effect, type Redacted, Result, Schema } from "effect"
import * as EmailOptions from "./EmailOptions.ts"
import { PreferenceRules } from "../preferences/PreferenceRules.ts"
import * as JsonSize from "./JsonSize.ts"
import { DeliveryIdKey, deliveryIdOf, targetOfDevice, targetsOf, typeOf, validateTarget } from "./Target.ts"
import { type Rendered, Templates } from "./Templates.ts"

type Requested = EventOf<"notification.requested">

/** The document of a notification must fit into one message of the bus, which is limited to a megabyte. */
export const maxTargets = 1_000
const maxRequestBytes = 700_000
/** The remaining space is for the summaries of a thousand targets. */
const maxStateBytes = 800_000
/** A request below this size needs no check of its document, unless it uses a template. */
const smallRequestBytes = 100_000

/**
 * `bytes` is the size of the request message. The effect never fails because of the request's content: an invalid
 * request becomes a failed notification. It fails only if the registry of devices cannot be read.
 */
export const make = Effect.fnUntraced(function* (event: Requested, bytes: number) {
  const now = yield* Clock.currentTimeMillis
  const { payload } = event
  const notificationId = notificationIdOf(event)
  const base = {
    notification_id: notificationId,
    user_id: payload.user_id,
    notification_type: payload.notification_type ?? "in_app",
    source_event_id: event.event_id,
    ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
    requested_at: now,
    updated_at: new Date(now).toISOString(),
  }
  const planned = yield* Effect.result(
    Effect.flatMap(
      Effect.zip(
        renderContent(event, bytes),
        planDeliveries(event, yield* findTargets(event), notificationId, yield* DeliveryIdKey),
      ),
      ([rendered, deliveries]) => {
        const content = withCopies(rendered, deliveries)
        const { send_at } = payload
        const state = {
          ...base,
          status: "pending",
          content,
          deliveries,
          ...(send_at === undefined ? {} : { send_at: Timestamp.toMillis(send_at) }),
        } satisfies NotificationState
        const isSmall = bytes < smallRequestBytes && payload.template === undefined
        return isSmall || fits(state) ? Effect.succeed(state) : tooLarge
      },
    ),
  )
  if (Result.isSuccess(planned)) return yield* (yield* PreferenceRules).apply(planned.success, now)
  const { code, message } = planned.failure
  const emptyContent = { title: "", text: "", data: {} }
  return {
    ...base,
    status: "pending",
    content: emptyContent,
    deliveries: [],
    error: { code, message },
  } satisfies NotificationState
})

/** The targets of the request, else the user's registered devices or addresses. */
const findTargets = Effect.fnUntraced(function* ({ payload }: Requested) {
  const targets = targetsOf(payload)
  if (targets.length > 0) return targets
  const devices = yield* (yield* UserDevices).list(payload.user_id)
  return devices
    .filter(({ app }) => payload.app === undefined || app === payload.app)
    .map(targetOfDevice)
    .filter(({ channel }) => typeOf(channel) === payload.notification_type)
})

const planDeliveries = (
  event: Requested,
  targets: ReadonlyArray<Target>,
  notificationId: string,
  idKey: Redacted.Redacted<string>,
): Effect.Effect<ReadonlyArray<DeliveryEntry>, PermanentError> => {
  if (targets.length === 0) {
    return reject(
      "no_recipient",
      "the request names no recipient and the user has no registered device for it; set recipients, or register a device",
    )
  }
  if (targets.length > maxTargets) {
    return reject("too_many_recipients", `${targets.length} recipients; send at most ${maxTargets} in one notification`)
  }
  // A target that occurs twice gets one delivery.
  const planned = new Map<string, DeliveryEntry>()
  for (const target of targets) {
    const delivery_id = deliveryIdOf(idKey, notificationId, target)
    planned.set(delivery_id, { delivery_id, target, ...rejectedSummary(target, event) })
  }
  return Effect.succeed([...planned.values()])
}

const rejectedSummary = (target: Target, { payload }: Requested): Pick<DeliveryEntry, "summary"> => {
  const fault = validateTarget(target, payload.notification_type)
  return fault === undefined
    ? {}
    : { summary: { channel: target.channel, provider: "none", status: "failed", reason: fault.reason } }
}

const renderContent = Effect.fnUntraced(function* (
  { payload }: Requested,
  bytes: number,
): Effect.fn.Return<NotificationContent, PermanentError, Templates> {
  const { actor, category, expires_at, locale, template } = payload
  if (bytes > maxRequestBytes) {
    return yield* tooLarge
  }
  const plain: Rendered = { title: payload.title ?? "", text: payload.body ?? "" }
  const rendered =
    template === undefined ? plain : yield* (yield* Templates).render(template, payload.context ?? {}, locale)
  const title = EmailOptions.oneLine(rendered.title)
  const mail = payload.notification_type === "email"
  // The fields of the request replace those of its template.
  const email = rendered.email === undefined ? payload.email : { ...rendered.email, ...payload.email }
  const attachments = [...(payload.attachments ?? []), ...(rendered.attachments ?? [])]
  const { data, push } = pushOf(payload)
  const { collapse_key = payload.collapse_key, ...presentation } = push ?? {}
  if (collapse_key !== undefined && (Buffer.byteLength(collapse_key) > 64 || /\p{Cc}/u.test(collapse_key))) {
    return yield* reject("invalid_collapse_key", "collapse_key may have at most 64 bytes and no control characters")
  }
  return {
    title,
    text: rendered.text,
    // HTML that derives from plain text is created when the e-mail is sent, which keeps the document small.
    ...(mail && rendered.html !== undefined ? { html: rendered.html } : {}),
    data,
    ...(isNonEmptyKey(collapse_key) ? { collapse_key } : {}),
    ...(mail || push === undefined ? {} : { push: presentation }),
    ...(mail && email !== undefined ? { email: yield* EmailOptions.make(email) } : {}),
    ...(category === undefined ? {} : { category }),
    ...(actor === undefined ? {} : { actor }),
    ...(attachments.length === 0 || !mail ? {} : { attachments }),
    ...(expires_at === undefined ? {} : { expires_at: Timestamp.toMillis(expires_at) }),
  }
})

/** The fields of `push`; else those of `data.push`, if it has their form. */
const pushOf = ({ data = {}, notification_type, push }: Requested["payload"]) => {
  const { push: nested, ...rest } = data
  if (push !== undefined || nested === undefined || notification_type !== "push") return { data, push }
  const decoded = decodePush(nested)
  return decoded._tag === "Some" ? { data: rest, push: decoded.value } : { data, push }
}
const decodePush = Schema.decodeUnknownOption(PushOptions)

/** Copies go out once, with the first mail that can be sent. */
const withCopies = (content: NotificationContent, deliveries: ReadonlyArray<DeliveryEntry>): NotificationContent => {
  const { email } = content
  if (email === undefined || (email.cc === undefined && email.bcc === undefined)) return content
  const copies_at = deliveries.findIndex(({ summary }) => summary === undefined)
  return copies_at === -1 ? content : { ...content, email: { ...email, copies_at } }
}

/** Only a document near the limit is serialised to measure it. */
const fits = (state: NotificationState): boolean =>
  JsonSize.maxBytes(state) <= maxStateBytes || Buffer.byteLength(JSON.stringify(state)) <= maxStateBytes

const tooLarge = new PermanentError({
  code: "too_large",
  message: `the notification exceeds ${maxRequestBytes} bytes; move large parts into attachments`,
})

const reject = (code: string, message: string) => Effect.fail(new PermanentError({ code, message }))
