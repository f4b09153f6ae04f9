/**
 * React hooks. Several components may use one topic: they share its channel, which is left after the last of them.
 *
 * ```tsx
 * const { messages, send, status } = useRoom(socket, "chat:room:42", { presence: true, userId })
 * const { users } = usePresence(socket, "42")
 * const { percent, ready } = useMedia(socket, mediaId)
 * ```
 *
 * Without a socket (`undefined`, for example before a login) they return the initial state.
 */
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { watchMedia } from "./Media.ts";
import { openPresence } from "./PresenceRoom.ts";
import { initialRoomState, openRoom } from "./Room.ts";
import { shared } from "./Shared.ts";
// A failed leave needs no action: the server forgets the topic with the socket.
const sharedByTopic = () => shared((value) => void value.leave().catch(() => { }));
const rooms = sharedByTopic();
const presences = sharedByTopic();
const medias = sharedByTopic();
const never = () => () => { };
/** The shared value of this topic while the component is mounted, and its state. */
const useShared = (values, socket, key, open, initial) => {
    const [value, setValue] = useState(undefined);
    useEffect(() => {
        if (socket === undefined)
            return;
        const acquired = values.acquire(socket, key, () => open(socket));
        setValue(acquired.value);
        return () => {
            setValue(undefined);
            acquired.release();
        };
        // `open` is a new function in each render; its topic is the key.
    }, [values, socket, key]);
    const getState = value?.state ?? (() => initial);
    return [value, useSyncExternalStore(value?.subscribe ?? never, getState, () => initial)];
};
const notJoined = () => Promise.reject({ reason: "unmatched topic" });
const noActions = {
    send: notJoined,
    edit: notJoined,
    remove: notJoined,
    react: notJoined,
    unreact: notJoined,
    markRead: notJoined,
    setTyping: () => { },
    loadOlder: () => Promise.resolve(false),
};
/** A chat room or direct messages. The options of the first component on a topic count. */
export const useRoom = (socket, topic, options = {}) => {
    const [room, state] = useShared(rooms, socket, topic, (open) => openRoom(open, topic, options), initialRoomState);
    return useMemo(() => ({ ...(room ?? noActions), ...state }), [room, state]);
};
const noPresence = { users: [], count: 0 };
/** The users who are in a room. While the component is mounted, the user is present with `status`. */
export const usePresence = (socket, roomId, { status = "online" } = {}) => {
    const [presence, state] = useShared(presences, socket, roomId, (open) => openPresence(open, roomId, { status }), noPresence);
    useEffect(() => {
        // Before the join it waits; a refusal is in `error` already.
        presence?.setStatus(status).catch(() => { });
    }, [presence, status]);
    return state;
};
const noMedia = { status: "joining", percent: 0 };
/** The progress and result of an upload. */
export const useMedia = (socket, mediaId) => useShared(medias, socket, mediaId, (open) => watchMedia(open, mediaId), noMedia)[1];
