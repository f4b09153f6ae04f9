/** Plays an HLS stream in a video element. hls.js is loaded with the first stream. */
import { h } from "./VirtualDom.ts";
export const make = (onError) => {
    let stop = () => { };
    let isDisposed = false;
    const attach = async (video, playlist) => {
        stop();
        if (video.canPlayType("application/vnd.apple.mpegurl") !== "") {
            video.src = playlist;
            return;
        }
        const { default: Hls } = await import("hls.js");
        // Another media was selected, or the view was left, during the import.
        if (isDisposed || !video.isConnected)
            return;
        if (!Hls.isSupported())
            return onError("This browser cannot play HLS.");
        // A worker from a blob would need another exception in the page's policy.
        const hls = new Hls({ enableWorker: false });
        hls.on(Hls.Events.ERROR, (_event, { details, fatal }) => {
            if (fatal)
                onError(`The stream cannot be played: ${details}`);
        });
        hls.loadSource(playlist);
        hls.attachMedia(video);
        stop = () => hls.destroy();
    };
    return {
        render: (playlist, poster, label) => h("video", {
            key: playlist,
            class: "player",
            controls: true,
            playsinline: true,
            preload: "metadata",
            poster,
            "aria-label": label,
            ref: (video) => {
                if (video instanceof HTMLVideoElement)
                    void attach(video, playlist);
            },
        }),
        dispose: () => {
            isDisposed = true;
            stop();
        },
    };
};
