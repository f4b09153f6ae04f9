/** A request made into a notification: its content for every channel, and one planned delivery a target. */
import { PermanentError } from "@armoricore/domain/Errors"
import type { EventOf } from "@armoricore/domain/Events"
import type { Content, NotificationState, Planned, Target } from "@armoricore/domain/NotificationState"
import { isGiven, notificationIdOf } from "@armoricore/domain/events/notification"
import { Clock, Effect, Result } from "effect"
import { deliveryIdOf, faultOf, targetsOf } from "./Target.ts"
import { Templates } from "./Templates.ts"

type Requested = EventOf<"notification.requested">

/** More would not fit into one document of the state, of which a bus takes a megabyte. */
export const maxTargets = 1_000
const maxBytes = 700_000
/** What becomes of a thousand targets takes the rest. */
const maxStateBytes = 800_000
/** A request so small cannot make a document too large, unless a template does. */
const smallBytes = 100_000

/** Never fails for what the publisher sent: a request that cannot be served becomes a failed notification. `bytes`: of the message. */
export const make = Effect.fnUntraced(function* (event: Requested, bytes: number) {
  const now = yield* Clock.currentTimeMillis
  const { payload } = event
  const notificationId = notificationIdOf(event)
  const known = {
    notification_id: notificationId,
    user_id: payload.user_id,
    notification_type: payload.notification_type,
    cause: event.event_id,
    ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
    requested_at: now,
    updated_at: new Date(now).toISOString(),
  }
  const made = yield* Effect.result(
    Effect.flatMap(Effect.zip(contentOf(event, bytes), plannedOf(event, notificationId)), ([content, deliveries]) => {
      const state = { ...known, status: "pending", content, deliveries } satisfies NotificationState
      const isSmall = bytes < smallBytes && payload.template === undefined
      return isSmall || Buffer.byteLength(JSON.stringify(state)) <= maxStateBytes ? Effect.succeed(state) : tooLarge
    }),
  )
  if (Result.isSuccess(made)) return made.success
  const { code, message } = made.failure
  const nothing = { title: "", text: "", data: {} }
  return {
    ...known,
    status: "pending",
    content: nothing,
    deliveries: [],
    error: { code, message },
  } satisfies NotificationState
})

const plannedOf = (event: Requested, notificationId: string): Effect.Effect<ReadonlyArray<Planned>, PermanentError> => {
  const targets = targetsOf(event.payload)
  if (targets.length === 0) {
    return refuse("no_recipient", "nobody is named; give recipients, data.email, or data.device_token")
  }
  if (targets.length > maxTargets) {
    return refuse("too_many_recipients", `${targets.length} recipients; send at most ${maxTargets} in one notification`)
  }
  // A target that is named twice gets one delivery.
  const planned = new Map<string, Planned>()
  for (const target of targets) {
    const delivery_id = deliveryIdOf(notificationId, target)
    planned.set(delivery_id, { delivery_id, target, ...refusedAtOnce(target, event) })
  }
  return Effect.succeed([...planned.values()])
}

const refusedAtOnce = (target: Target, { payload }: Requested): Pick<Planned, "summary"> => {
  const fault = faultOf(target, payload.notification_type)
  return fault === undefined
    ? {}
    : { summary: { channel: target.channel, provider: "none", status: "failed", reason: fault.reason } }
}

const contentOf = Effect.fnUntraced(function* (
  { payload }: Requested,
  bytes: number,
): Effect.fn.Return<Content, PermanentError, Templates> {
  const { attachments, category, collapse_key, data = {}, expires_at, template } = payload
  if (bytes > maxBytes) {
    return yield* tooLarge
  }
  const plain = { title: payload.title, text: payload.body }
  const rendered = template === undefined ? plain : yield* (yield* Templates).render(template, payload.context ?? {})
  const title = oneLine(rendered.title)
  const mail = payload.notification_type === "email"
  if (collapse_key !== undefined && (Buffer.byteLength(collapse_key) > 64 || /\p{Cc}/u.test(collapse_key))) {
    return yield* refuse("invalid_collapse_key", "collapse_key has at most 64 bytes and no control characters")
  }
  return {
    title,
    text: rendered.text,
    // What is made from the text is made when it is sent.
    ...(mail && "html" in rendered && rendered.html !== undefined ? { html: rendered.html } : {}),
    data,
    ...(isGiven(collapse_key) ? { collapse_key } : {}),
    ...(category === undefined ? {} : { category }),
    ...(attachments === undefined || !mail ? {} : { attachments }),
    ...(expires_at === undefined ? {} : { expires_at: Date.parse(expires_at) }),
  }
})

/** A title becomes a header: nothing in it may end one. */
const oneLine = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim()

const tooLarge = new PermanentError({
  code: "too_large",
  message: `the notification has more than ${maxBytes} bytes; put large parts into attachments`,
})

const refuse = (code: string, message: string) => Effect.fail(new PermanentError({ code, message }))
