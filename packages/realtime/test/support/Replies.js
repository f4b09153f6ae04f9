/** Replies as they appear on the wire. */
import {} from "./TestServer.ts";
export const error = (joinRef, ref, topic, response) => [
    joinRef,
    ref,
    topic,
    "phx_reply",
    { status: "error", response },
];
export const ok = (joinRef, ref, topic, response = {}) => [
    joinRef,
    ref,
    topic,
    "phx_reply",
    { status: "ok", response },
];
