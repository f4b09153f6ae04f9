/** The events of the bus that sockets receive: their names and schemas, derived from the attributes of the event registry. */
import { eventRegistry, eventTypesOn, eventTypesWhere, hasAttributes, socketEventName, } from "@armoricore/domain/EventRegistry";
import { Schema } from "effect";
const droppable = (type) => (eventRegistry[type].stored ? {} : { droppable: true });
const withSeq = ({ fields }) => Schema.Struct({ ...fields, seq: Schema.Int });
export const storedUserEventTypes = eventTypesWhere({ userHistory: true });
export const isStoredUserEvent = hasAttributes({ userHistory: true });
/** Server events of `media:{media_id}`. */
// The mapped types restate the loop over the registry; `Object.fromEntries` loses the keys.
export const mediaEvents = Object.fromEntries(eventTypesOn("media").map((type) => [
    socketEventName(type),
    { payload: eventRegistry[type].payload, ...droppable(type) },
]));
/** Server events of `user:{user_id}`. An event in the user's history carries its `seq` there. */
export const userEvents = Object.fromEntries(eventTypesOn("user").map((type) => {
    const { payload } = eventRegistry[type];
    return [
        socketEventName(type),
        { payload: isStoredUserEvent(type) ? withSeq(payload) : payload, ...droppable(type) },
    ];
}));
const isObject = (value) => typeof value === "object" && value !== null;
/** The payload of a frame: the event's payload unchanged, plus the event's `request_id` and `traceparent` if it has them. */
export const framePayload = (payload, { request_id, traceparent }) => ({
    ...(isObject(payload) ? payload : {}),
    ...(request_id === undefined ? {} : { request_id }),
    ...(traceparent === undefined ? {} : { traceparent }),
});
