/** Rooms, presence and media progress of Armoricore, on the official `phoenix` client. */
export { connect } from "./Connection.ts";
export { directTopic } from "./DirectTopic.ts";
export { watchMedia } from "./Media.ts";
export { openPresence } from "./PresenceRoom.ts";
export { openRoom } from "./Room.ts";
export * from "./TypedChannel.ts";
