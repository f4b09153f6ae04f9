/** Where the state of every media lies: `media` alone writes it, `api` and `realtime` read. */
import { MediaState } from "@armoricore/domain/MediaState"
import type { Descriptor } from "./Collection.ts"

export const mediaStates: Descriptor<MediaState, typeof MediaState.Encoded> = {
  bucket: { name: "media", maxAge: "never" },
  schema: MediaState,
}
