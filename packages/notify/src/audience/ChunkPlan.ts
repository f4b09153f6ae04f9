/**
 * Plans the notifications of many members of an audience together: the registry of devices and the preferences are read in
 * pages, and the content is rendered once for each set of languages.
 */
import type { AudienceSend } from "@armoricore/domain/Audience"
import { type AudienceChunk, memberIdsOf } from "@armoricore/domain/AudienceChunk"
import type { PermanentError } from "@armoricore/domain/Errors"
import type { PayloadOf } from "@armoricore/domain/EventRegistry"
import type { NotificationContent, NotificationState } from "@armoricore/domain/NotificationState"
import { UserDevices } from "@armoricore/state/UserDevices"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { Effect, Redacted, Result } from "effect"
import { PreferenceRules } from "../preferences/PreferenceRules.ts"
import * as NotificationPlan from "../request/NotificationPlan.ts"
import { DeliveryIdKey, targetOfDevice, typeOf } from "../request/Target.ts"
import { Templates } from "../request/Templates.ts"
import { UnreadBadge } from "../request/UnreadBadge.ts"

export type Payload = PayloadOf<"notification.requested">

export interface PlannedMember {
  readonly index: number
  /** With the reasons of targets that get nothing, and `send_at` for a user in quiet hours. */
  readonly state: NotificationState
}

export interface Unplanned {
  readonly index: number
  readonly error: PermanentError
}

/** The types whose members are notified in chunks. An e-mail must not be repeated, so each needs documents of its own. */
export const chunkedTypes: ReadonlySet<string> = new Set(["push", "in_app"])

export const make = Effect.gen(function* () {
  const devices = yield* UserDevices
  const preferences = yield* UserPreferences
  const rules = yield* PreferenceRules
  const badges = yield* UnreadBadge
  const templates = yield* Templates
  const usualKey = yield* DeliveryIdKey

  const addresseesOf = Effect.fnUntraced(function* (payload: Payload, userIds: ReadonlyArray<string>) {
    const { app, locale, notification_type, template } = payload
    const registered: ReadonlyArray<ReadonlyArray<NotificationPlan.Addressee>> =
      notification_type === "in_app"
        ? userIds.map((user_id) => [{ target: { channel: "in_app", user_id } }])
        : (yield* devices.listMany(userIds)).map((list) =>
            list
              .filter((device) => app === undefined || device.app === app)
              .map((device) => ({ target: targetOfDevice(device), locale: device.locale }))
              .filter(({ target }) => typeOf(target.channel) === notification_type),
          )
    if (template === undefined) return registered.map((list) => list.map(({ target }) => ({ target })))
    if (locale !== undefined) return registered.map((list) => list.map(({ target }) => ({ target, locale })))
    const wanted = yield* preferences.getMany(userIds)
    return registered.map((list, at) =>
      list.map((one) => ({ target: one.target, locale: one.locale ?? wanted[at]?.locale })),
    )
  })

  /** The notifications of the members at these indexes. */
  const plan = Effect.fnUntraced(function* (
    send: AudienceSend,
    payload: Payload,
    chunk: AudienceChunk,
    indexes: ReadonlyArray<number>,
    now: number,
  ) {
    const idKey = send.id_key === undefined ? usualKey : Redacted.make(send.id_key)
    const userIds = indexes.map((index) => chunk.members[index]?.u ?? "")
    const addressees = yield* addresseesOf(payload, userIds)
    const idAt = memberIdsOf(chunk.send_id, chunk.chunk)
    const contents = new Map<string, Result.Result<NotificationContent, PermanentError>>()
    const contentFor = Effect.fnUntraced(function* (targets: ReadonlyArray<NotificationPlan.Addressee>) {
      const key = payload.template === undefined ? "" : targets.map(({ locale = "" }) => locale).join()
      const known = contents.get(key)
      if (known !== undefined) return known
      const rendered = yield* Effect.result(
        Effect.provideService(
          NotificationPlan.renderContent({ payload }, Buffer.byteLength(send.payload), targets),
          Templates,
          templates,
        ),
      )
      contents.set(key, rendered)
      return rendered
    })
    const unplanned: Array<Unplanned> = []
    const planned: Array<number> = []
    const states: Array<NotificationState> = []
    const updated_at = new Date(now).toISOString()
    for (const [at, index] of indexes.entries()) {
      const targets = addressees[at] ?? []
      if (targets.length === 0) {
        unplanned.push({ index, error: NotificationPlan.noRecipient })
        continue
      }
      const content = yield* contentFor(targets)
      if (Result.isFailure(content)) {
        unplanned.push({ index, error: content.failure })
        continue
      }
      const notification_id = idAt(index)
      planned.push(index)
      states.push({
        notification_id,
        user_id: userIds[at] ?? "",
        notification_type: chunk.notification_type,
        status: "pending",
        source_event_id: notification_id,
        ...(send.request_id === undefined ? {} : { request_id: send.request_id }),
        content: content.success,
        deliveries: NotificationPlan.entriesOf(payload, targets, notification_id, idKey),
        requested_at: chunk.requested_at,
        updated_at,
      })
    }
    const allowed = yield* rules.applyAll(states, now)
    const shown =
      allowed[0]?.content.push?.badge === "unread"
        ? yield* Effect.forEach(allowed, (state) => badges.resolve(state), { concurrency: readsAtOnce })
        : allowed
    return {
      unplanned,
      planned: planned.flatMap((index, at): ReadonlyArray<PlannedMember> => {
        const state = shown[at]
        return state === undefined ? [] : [{ index, state }]
      }),
    }
  })

  return { plan }
})

const readsAtOnce = 32
