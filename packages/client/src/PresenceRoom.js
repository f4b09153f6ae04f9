/** Who is in a room, from `presence:room:{room_id}`; joining makes this user present. */
import { trackPresence } from "./PresenceList.ts";
import { WritableStore } from "./Store.ts";
import { channel, isErrorReply } from "./TypedChannel.ts";
export const openPresence = (socket, roomId, { status = "online" } = {}) => {
    const store = new WritableStore({ users: [], count: 0 });
    const typed = channel(socket, `presence:room:${roomId}`, { status });
    trackPresence(typed.raw, (present) => store.update({ ...present, error: undefined }));
    typed.join().catch((error) => {
        if (!isErrorReply(error))
            return;
        store.update({ error });
        if (error.reason === "unauthorized")
            void typed.leave();
    });
    return {
        state: store.state,
        subscribe: store.subscribe,
        setStatus: async (next) => {
            await typed.push("update_status", { status: next });
        },
        leave: typed.leave,
    };
};
