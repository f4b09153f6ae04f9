/** Clients, events and helpers that the tests of the operator API share. */
import { event } from "@armoricore/bus/Address"
import { EventBus } from "@armoricore/bus/EventBus"
import { Effect, type Layer, type Scope } from "effect"
import { api, type inMemory } from "../OperatorHarness.ts"

export type Client = Effect.Success<typeof inMemory>
export type Provided = Layer.Success<typeof api> | Scope.Scope

export const uploadedEvent = (mediaId: string, extra: object = {}) => ({
  event_type: "media.uploaded",
  event_id: crypto.randomUUID(),
  timestamp: new Date().toISOString(),
  source: "php-backend",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  payload: { media_id: mediaId, user_id: "ada", file_path: "s3://media/a.mp4" },
  ...extra,
})
export const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

export const publish = Effect.fnUntraced(function* (value: { readonly event_type: string; readonly event_id: string }) {
  const bus = yield* EventBus
  const headers = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" }
  yield* bus.publish({ address: event(value.event_type), id: value.event_id, body: bytes(value), headers })
})
/** Declares a test with a client of one transport. */
export type OperatorTest = (title: string, run: (client: Client) => Effect.Effect<void, unknown, Provided>) => void
