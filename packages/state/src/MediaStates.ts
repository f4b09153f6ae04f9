/** The state documents of media: written only by `media`, read by `api` and `realtime`. */
import { MediaState } from "@armoricore/domain/MediaState"
import type { Descriptor } from "./Collection.ts"

export const mediaStates: Descriptor<MediaState, typeof MediaState.Encoded> = {
  bucket: { name: "media", maxAge: "never" },
  schema: MediaState,
}
