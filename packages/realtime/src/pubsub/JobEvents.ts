/** The events of the bus that sockets receive: their names and schemas, derived from the attributes of the event registry. */
import {
  type AnyEvent,
  eventRegistry,
  type EventTopic,
  type EventTypeOn,
  type EventTypeWhere,
  eventTypesOn,
  eventTypesWhere,
  hasAttributes,
  type SocketEventName,
  socketEventName,
} from "@armoricore/domain/EventRegistry"
import { Schema } from "effect"

type Registry = typeof eventRegistry

/** A lost live-only event is superseded by the next one, so a slow socket may drop it. */
type Droppable<T extends keyof Registry> = Registry[T]["stored"] extends true ? {} : { readonly droppable: true }
const droppable = (type: keyof Registry) => (eventRegistry[type].stored ? {} : { droppable: true })

const withSeq = ({ fields }: { readonly fields: Schema.Struct.Fields }) => Schema.Struct({ ...fields, seq: Schema.Int })

type WithSeq<S> = S extends Schema.Struct<infer F> ? Schema.Struct<F & { readonly seq: typeof Schema.Int }> : never

type PlainEvents<N extends EventTopic> = {
  readonly [T in EventTypeOn<N> as SocketEventName<T>]: { readonly payload: Registry[T]["payload"] } & Droppable<T>
}
type NumberedEvents<N extends EventTopic> = {
  readonly [T in EventTypeOn<N> as SocketEventName<T>]: {
    readonly payload: Registry[T]["userHistory"] extends true ? WithSeq<Registry[T]["payload"]> : Registry[T]["payload"]
  } & Droppable<T>
}

export type StoredUserEventType = EventTypeWhere<{ userHistory: true }>
export const storedUserEventTypes = eventTypesWhere({ userHistory: true })
export const isStoredUserEvent = hasAttributes({ userHistory: true })

/** Server events of `media:{media_id}`. */
// The mapped types restate the loop over the registry; `Object.fromEntries` loses the keys.
export const mediaEvents = Object.fromEntries(
  eventTypesOn("media").map((type) => [
    socketEventName(type),
    { payload: eventRegistry[type].payload, ...droppable(type) },
  ]),
) as unknown as PlainEvents<"media">

/** Server events of `user:{user_id}`. An event in the user's history carries its `seq` there. */
export const userEvents = Object.fromEntries(
  eventTypesOn("user").map((type) => {
    const { payload } = eventRegistry[type]
    return [
      socketEventName(type),
      { payload: isStoredUserEvent(type) ? withSeq(payload) : payload, ...droppable(type) },
    ]
  }),
) as unknown as NumberedEvents<"user">

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

/** The payload of a frame: the event's payload unchanged, plus the event's `request_id` and `traceparent` if it has them. */
export const framePayload = (payload: unknown, { request_id, traceparent }: AnyEvent): object => ({
  ...(isObject(payload) ? payload : {}),
  ...(request_id === undefined ? {} : { request_id }),
  ...(traceparent === undefined ? {} : { traceparent }),
})
