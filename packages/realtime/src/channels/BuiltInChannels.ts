/**
 * The channels of this server, as one list. To add a channel, write one file in `channels/` and add one line here. The
 * registration, the AsyncAPI document, the typed client and the permissions of the NATS user derive from this list.
 */
import type { Bucket } from "@armoricore/state/KeyValue"
import { Layer } from "effect"
import type { Declaration } from "../channel/Channel.ts"
import * as ChatChannel from "./ChatChannel.ts"
import * as CommentsChannel from "./CommentsChannel.ts"
import * as InboxChannel from "./InboxChannel.ts"
import * as DirectChannel from "./DirectChannel.ts"
import * as MediaChannel from "./MediaChannel.ts"
import * as PresenceChannel from "./PresenceChannel.ts"
import * as RoomChannel from "./RoomChannel.ts"
import * as UserChannel from "./UserChannel.ts"

/** The key is the channel's name in the AsyncAPI document. */
const builtInChannels = {
  chat: ChatChannel,
  direct: DirectChannel,
  comments: CommentsChannel,
  presence: PresenceChannel,
  room: RoomChannel,
  media: MediaChannel,
  user: UserChannel,
  inbox: InboxChannel,
}

type BuiltInChannels = typeof builtInChannels

/** The exact type of each declaration; the typed client is made from it. */
export type Declarations = { readonly [K in keyof BuiltInChannels]: BuiltInChannels[K]["channel"]["declaration"] }

export const declarations: ReadonlyArray<readonly [name: string, declaration: Declaration]> = Object.entries<{
  readonly channel: { readonly declaration: Declaration }
}>(builtInChannels).map(([name, { channel }]) => [name, channel.declaration])

/** Registers every channel. */
export const layer = Layer.mergeAll(Layer.empty, ...Object.values(builtInChannels).map((channel) => channel.layer))

/** The buckets that the channels use, for the permissions of the NATS user. */
export const buckets: { readonly reads: ReadonlyArray<Bucket>; readonly writes: ReadonlyArray<Bucket> } = {
  reads: [...new Set(declarations.flatMap(([, { buckets: used }]) => used?.reads ?? []))],
  writes: [...new Set(declarations.flatMap(([, { buckets: used }]) => used?.writes ?? []))],
}
