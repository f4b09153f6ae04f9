import { WritableStore } from "./Store.ts";
import { channel, isErrorReply } from "./TypedChannel.ts";
export const watchMedia = (socket, mediaId) => {
    const store = new WritableStore({ status: "joining", percent: 0 });
    const typed = channel(socket, `media:${mediaId}`, {});
    typed.onJoin((reply) => {
        if (reply.status === "unknown")
            return store.update({ status: "unknown" });
        const { failed, percent, playable, ready, stage, status } = reply;
        store.update({
            status,
            stage,
            percent,
            ...(playable === undefined ? {} : { playable }),
            ...(ready === undefined ? {} : { ready }),
            ...(failed === undefined ? {} : { failed }),
        });
    });
    typed.on("media_progress", ({ percent, stage }) => store.update({ status: "processing", stage, percent }));
    typed.on("media_playable", (playable) => store.update({ status: "processing", playable }));
    typed.on("media_ready", (ready) => store.update({ status: "ready", percent: 100, ready }));
    typed.on("media_failed", (failed) => store.update({ status: "failed", failed }));
    typed.on("media_deleted", () => store.update({ status: "deleted" }));
    typed.join().catch((error) => {
        if (!isErrorReply(error))
            return;
        store.update({ error, ...(error.reason === "unauthorized" ? { status: "refused" } : {}) });
        // With MEDIA_TOPIC_POLICY=owner the join succeeds once the upload is known, so the client goes on.
    });
    return { state: store.state, subscribe: store.subscribe, leave: typed.leave };
};
