/** Turns a request into a notification: one content for every channel, and one planned delivery for each target. */
import { PermanentError } from "@armoricore/domain/Errors"
import type { EventOf } from "@armoricore/domain/EventRegistry"
import type {
  LocalizedContent,
  NotificationContent,
  NotificationState,
  DeliveryEntry,
  Target,
} from "@armoricore/domain/NotificationState"
import { isNonEmptyKey, notificationIdOf, PushOptions } from "@armoricore/domain/events/notification"
import { UserDevices } from "@armoricore/state/UserDevices"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import * as Timestamp from "@armoricore/domain/Timestamp"
import { Clock, Effect, type Redacted, Result, Schema } from "effect"
import * as EmailOptions from "./EmailOptions.ts"
import { PreferenceRules } from "../preferences/PreferenceRules.ts"
import * as JsonSize from "./JsonSize.ts"
import { DeliveryIdKey, deliveryIdOf, targetOf, targetOfDevice, targetsOf, typeOf, validateTarget } from "./Target.ts"
import { preferencesUrlMarker, type Rendered, Templates } from "./Templates.ts"
import { UnreadBadge } from "./UnreadBadge.ts"

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
  const targets = yield* findTargets(event)
  const planned = yield* Effect.result(
    Effect.flatMap(
      Effect.zip(
        renderContent(event, bytes, targets),
        planDeliveries(event, targets, notificationId, yield* DeliveryIdKey),
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
  if (Result.isSuccess(planned)) {
    const state = yield* (yield* PreferenceRules).apply(planned.success, now)
    return state.send_at !== undefined && state.send_at > now ? state : yield* (yield* UnreadBadge).resolve(state)
  }
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

/** A push to one recipient, now, with texts and fields that need nothing but the request. */
export const isLonePush = (payload: Requested["payload"]): boolean =>
  payload.notification_type === "push" &&
  payload.recipients?.length === 1 &&
  payload.template === undefined &&
  payload.workflow === undefined &&
  payload.audience === undefined &&
  payload.send_at === undefined &&
  payload.idempotency_key === undefined

/** {@link make} for {@link isLonePush} without an effect and without preferences; undefined: `make` has to judge it. */
export const lonePushOf = (
  event: Requested,
  bytes: number,
  now: number,
  idKey: Redacted.Redacted<string>,
): NotificationState | undefined => {
  const { payload } = event
  const [recipient] = payload.recipients ?? []
  if (!isLonePush(payload) || bytes >= smallRequestBytes || recipient === undefined) return undefined
  const target = targetOf(recipient)
  if (validateTarget(target, "push") !== undefined) return undefined
  const { data, push } = pushOf(payload)
  const { collapse_key, ...presentation } = push ?? {}
  if (collapse_key !== undefined || payload.collapse_key !== undefined || push?.badge === "unread") return undefined
  const { actor, category, expires_at } = payload
  return {
    notification_id: event.event_id,
    user_id: payload.user_id,
    notification_type: "push",
    status: "pending",
    source_event_id: event.event_id,
    ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
    content: {
      title: EmailOptions.oneLine(payload.title ?? ""),
      text: payload.body ?? "",
      data,
      ...(push === undefined ? {} : { push: presentation }),
      ...(category === undefined ? {} : { category }),
      ...(actor === undefined ? {} : { actor }),
      ...(expires_at === undefined ? {} : { expires_at: Timestamp.toMillis(expires_at) }),
    },
    deliveries: [{ delivery_id: deliveryIdOf(idKey, event.event_id, target), target }],
    requested_at: now,
    updated_at: new Date(now).toISOString(),
  }
}

/** A target, and the language of its reader if it is known. */
export interface Addressee {
  readonly target: Target
  readonly locale?: string | undefined
}

/**
 * The targets of the request, else the user's registered devices or addresses. With a template, the language is that of the
 * request, else of the device, else of the preferences.
 */
const findTargets = Effect.fnUntraced(function* ({ payload }: Requested) {
  const { app, locale, notification_type, template, user_id } = payload
  const targets: ReadonlyArray<Addressee> = targetsOf(payload).map((target) => ({ target }))
  const addressees =
    targets.length > 0
      ? targets
      : (yield* (yield* UserDevices).list(user_id))
          .filter((device) => app === undefined || device.app === app)
          .map((device): Addressee => ({ target: targetOfDevice(device), locale: device.locale }))
          .filter(({ target }) => typeOf(target.channel) === notification_type)
  if (template === undefined) return addressees.map(({ target }): Addressee => ({ target }))
  if (locale !== undefined) return addressees.map(({ target }): Addressee => ({ target, locale }))
  if (addressees.every((one) => one.locale !== undefined)) return addressees
  const preferred = (yield* (yield* UserPreferences).get(user_id)).locale
  return addressees.map((one): Addressee => ({ target: one.target, locale: one.locale ?? preferred }))
})

export const noRecipient = new PermanentError({
  code: "no_recipient",
  message:
    "the request names no recipient and the user has no registered device for it; set recipients, or register a device",
})

const planDeliveries = (
  { payload }: Requested,
  targets: ReadonlyArray<Addressee>,
  notificationId: string,
  idKey: Redacted.Redacted<string>,
): Effect.Effect<ReadonlyArray<DeliveryEntry>, PermanentError> => {
  if (targets.length === 0) return Effect.fail(noRecipient)
  if (targets.length > maxTargets) {
    return reject("too_many_recipients", `${targets.length} recipients; send at most ${maxTargets} in one notification`)
  }
  return Effect.succeed(entriesOf(payload, targets, notificationId, idKey))
}

/** The deliveries of a notification to these targets. */
export const entriesOf = (
  payload: Requested["payload"],
  targets: ReadonlyArray<Addressee>,
  notificationId: string,
  idKey: Redacted.Redacted<string>,
): ReadonlyArray<DeliveryEntry> => {
  // A target that occurs twice gets one delivery.
  const planned = new Map<string, DeliveryEntry>()
  const base = baseLocale(targets)
  for (const { locale, target } of targets) {
    const delivery_id = deliveryIdOf(idKey, notificationId, target)
    const own = locale === undefined || locale === base ? {} : { locale }
    planned.set(delivery_id, { delivery_id, target, ...own, ...rejectedSummary(target, payload) })
  }
  return [...planned.values()]
}

const rejectedSummary = (target: Target, payload: Requested["payload"]): Pick<DeliveryEntry, "summary"> => {
  const fault = validateTarget(target, payload.notification_type)
  return fault === undefined
    ? {}
    : { summary: { channel: target.channel, provider: "none", status: "failed", reason: fault.reason } }
}

/** The language of the content itself: none if that of any target is unknown. */
const baseLocale = (targets: ReadonlyArray<Addressee>): string | undefined =>
  targets.every(({ locale }) => locale !== undefined) ? targets[0]?.locale : undefined

/** The content in the base language, and in the other languages of the targets. */
export const renderContent = Effect.fnUntraced(function* (
  { payload }: Pick<Requested, "payload">,
  bytes: number,
  targets: ReadonlyArray<Addressee>,
): Effect.fn.Return<NotificationContent, PermanentError, Templates> {
  const { actor, category, expires_at } = payload
  if (bytes > maxRequestBytes) {
    return yield* tooLarge
  }
  const { data, push } = pushOf(payload)
  const { collapse_key = payload.collapse_key, ...presentation } = push ?? {}
  if (collapse_key !== undefined && (Buffer.byteLength(collapse_key) > 64 || /\p{Cc}/u.test(collapse_key))) {
    return yield* reject("invalid_collapse_key", "collapse_key may have at most 64 bytes and no control characters")
  }
  const base = baseLocale(targets)
  const others = new Set(targets.flatMap(({ locale }) => (locale === undefined || locale === base ? [] : [locale])))
  const localized: Record<string, LocalizedContent> = {}
  for (const locale of others) localized[locale] = yield* renderTexts(payload, locale)
  return {
    ...(yield* renderTexts(payload, base)),
    data,
    ...(isNonEmptyKey(collapse_key) ? { collapse_key } : {}),
    ...(payload.notification_type === "email" || push === undefined ? {} : { push: presentation }),
    ...(category === undefined ? {} : { category }),
    ...(actor === undefined ? {} : { actor }),
    ...(others.size === 0 ? {} : { localized }),
    ...(expires_at === undefined ? {} : { expires_at: Timestamp.toMillis(expires_at) }),
  }
})

const renderTexts = Effect.fnUntraced(function* (
  payload: Requested["payload"],
  locale: string | undefined,
): Effect.fn.Return<LocalizedContent, PermanentError, Templates> {
  const { template } = payload
  const plain: Rendered = { title: payload.title ?? "", text: payload.body ?? "" }
  const rendered =
    template === undefined ? plain : yield* (yield* Templates).render(template, payload.context ?? {}, locale)
  const mail = payload.notification_type === "email"
  if ((!mail || payload.category === undefined) && `${rendered.text}${rendered.html}`.includes(preferencesUrlMarker))
    return yield* reject(
      "template_context",
      `the template ${template} writes preferences_url, which only e-mail with a category has; set category`,
    )
  // The fields of the request replace those of its template.
  const email = rendered.email === undefined ? payload.email : { ...rendered.email, ...payload.email }
  const attachments = [...(payload.attachments ?? []), ...(rendered.attachments ?? [])]
  return {
    title: EmailOptions.oneLine(rendered.title),
    text: rendered.text,
    // HTML that derives from plain text is created when the e-mail is sent, which keeps the document small.
    ...(mail && rendered.html !== undefined ? { html: rendered.html } : {}),
    ...(mail && email !== undefined ? { email: yield* EmailOptions.make(email) } : {}),
    ...(attachments.length === 0 || !mail ? {} : { attachments }),
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
  const copies_at = deliveries.findIndex(({ summary }) => summary === undefined)
  const { localized } = content
  const marked = markCopies(content, copies_at)
  return localized === undefined
    ? marked
    : {
        ...marked,
        localized: Object.fromEntries(
          Object.entries(localized).map(([locale, one]) => [locale, markCopies(one, copies_at)]),
        ),
      }
}

const markCopies = <C extends LocalizedContent>(content: C, copies_at: number): C => {
  const { email } = content
  if (copies_at === -1 || email === undefined || (email.cc === undefined && email.bcc === undefined)) return content
  return { ...content, email: { ...email, copies_at } }
}

/** Only a document near the limit is serialised to measure it. */
const fits = (state: NotificationState): boolean =>
  JsonSize.maxBytes(state) <= maxStateBytes || Buffer.byteLength(JSON.stringify(state)) <= maxStateBytes

const tooLarge = new PermanentError({
  code: "too_large",
  message: `the notification exceeds ${maxRequestBytes} bytes; move large parts into attachments`,
})

const reject = (code: string, message: string) => Effect.fail(new PermanentError({ code, message }))
