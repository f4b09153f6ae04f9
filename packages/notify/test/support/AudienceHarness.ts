/** Audiences with devices, and what has become of their members. */
import { event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { memberIdOf } from "@armoricore/domain/AudienceChunk"
import { audienceChunks, memberOf, type MemberNotification } from "@armoricore/state/AudienceChunks"
import { Audiences, audienceSends } from "@armoricore/state/Audiences"
import * as Collection from "@armoricore/state/Collection"
import { UserDevices } from "@armoricore/state/UserDevices"
import { Effect, Option } from "effect"

export const request = { user_id: "shop", audience: "fans" }

export const membersOf = (length: number) => Array.from({ length }, (_, index) => `u${index}`)

/** Members of the audience `fans`, with a device each. */
export const fill = Effect.fnUntraced(function* (members: ReadonlyArray<string>) {
  const devices = yield* UserDevices
  yield* (yield* Audiences).add("fans", members)
  yield* Effect.forEach(
    members,
    (id) => devices.register(id, { device_id: "d", platform: "android", token: `token-of-${id}` }),
    { concurrency: 16, discard: true },
  )
})

export const sendOf = (id: string) =>
  Effect.flatMap(Collection.make(audienceSends), (sends) =>
    Effect.map(sends.get(id), (found) => Option.getOrUndefined(found)?.value),
  )

/** The notifications of the members in chunks, by user. */
export const statesOf = Effect.fnUntraced(function* (id: string) {
  const states = new Map<string, MemberNotification>()
  yield* Collection.forEach(yield* Collection.make(audienceChunks), ({ value }) =>
    Effect.sync(() => {
      for (const index of value.members.keys()) {
        const state = memberOf(value, index, memberIdOf(id, value.chunk, index))
        if (value.send_id === id && state !== undefined) states.set(state.user_id, state)
      }
    }),
  )
  return states
})

export const publishCancellation = Effect.fnUntraced(function* (notification_id: string) {
  const body = {
    event_type: "notification.cancelled",
    event_id: crypto.randomUUID(),
    timestamp: "2026-01-31T12:00:00Z",
    source: "php-backend",
    payload: { notification_id },
  }
  yield* (yield* EventBus).publish({
    address: event("notification.cancelled"),
    id: body.event_id,
    body: new TextEncoder().encode(JSON.stringify(body)),
  })
})
