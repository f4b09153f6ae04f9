/** The progress and result of one upload, from `media:{media_id}`. */
import type { MediaFailed, MediaPlayable, MediaReady } from "./Protocol.ts"
import { type Store, WritableStore } from "./Store.ts"
import { channel, type ErrorReply, isErrorReply, type SocketLike } from "./TypedChannel.ts"

export interface MediaState {
  /** `unknown`: no upload with this id yet. */
  readonly status: "joining" | "unknown" | "processing" | "ready" | "failed" | "deleted" | "refused"
  readonly stage?: string
  /** 0 to 100. */
  readonly percent: number
  /** The first segments can be played. */
  readonly playable?: MediaPlayable
  readonly ready?: MediaReady
  readonly failed?: MediaFailed
  /** Of a refused join. */
  readonly error?: ErrorReply
}

export interface Media extends Store<MediaState> {
  readonly leave: () => Promise<void>
}

export const watchMedia = (socket: SocketLike, mediaId: string): Media => {
  const store = new WritableStore<MediaState>({ status: "joining", percent: 0 })
  const typed = channel(socket, `media:${mediaId}`, {})
  typed.onJoin((reply) => {
    if (reply.status === "unknown") return store.update({ status: "unknown" })
    const { failed, percent, playable, ready, stage, status } = reply
    store.update({
      status,
      stage,
      percent,
      ...(playable === undefined ? {} : { playable }),
      ...(ready === undefined ? {} : { ready }),
      ...(failed === undefined ? {} : { failed }),
    })
  })
  typed.on("media_progress", ({ percent, stage }) => store.update({ status: "processing", stage, percent }))
  typed.on("media_playable", (playable) => store.update({ status: "processing", playable }))
  typed.on("media_ready", (ready) => store.update({ status: "ready", percent: 100, ready }))
  typed.on("media_failed", (failed) => store.update({ status: "failed", failed }))
  typed.on("media_deleted", () => store.update({ status: "deleted" }))
  typed.join().catch((error: unknown) => {
    if (!isErrorReply(error)) return
    store.update({ error, ...(error.reason === "unauthorized" ? { status: "refused" } : {}) })
    // With MEDIA_TOPIC_POLICY=owner the join succeeds once the upload is known, so the client goes on.
  })
  return { state: store.state, subscribe: store.subscribe, leave: typed.leave }
}
