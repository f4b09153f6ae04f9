import { Layer } from "effect";
import * as ChatChannel from "./ChatChannel.ts";
import * as CommentsChannel from "./CommentsChannel.ts";
import * as InboxChannel from "./InboxChannel.ts";
import * as DirectChannel from "./DirectChannel.ts";
import * as MediaChannel from "./MediaChannel.ts";
import * as PresenceChannel from "./PresenceChannel.ts";
import * as RoomChannel from "./RoomChannel.ts";
import * as UserChannel from "./UserChannel.ts";
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
};
export const declarations = Object.entries(builtInChannels).map(([name, { channel }]) => [name, channel.declaration]);
/** Registers every channel. */
export const layer = Layer.mergeAll(Layer.empty, ...Object.values(builtInChannels).map((channel) => channel.layer));
/** The buckets that the channels use, for the permissions of the NATS user. */
export const buckets = {
    reads: [...new Set(declarations.flatMap(([, { buckets: used }]) => used?.reads ?? []))],
    writes: [...new Set(declarations.flatMap(([, { buckets: used }]) => used?.writes ?? []))],
};
