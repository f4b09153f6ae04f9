/** Every channel of this server as it is declared: what the AsyncAPI document and the client's types are made from. */
import type { Declaration } from "./Channel.ts"
import { ChatChannel } from "../channels/ChatChannel.ts"
import { CommentsChannel } from "../channels/CommentsChannel.ts"
import { MediaChannel } from "../channels/MediaChannel.ts"
import { PresenceChannel } from "../channels/PresenceChannel.ts"
import { UserChannel } from "../channels/UserChannel.ts"

export const declarations = {
  chat: ChatChannel.declaration,
  comments: CommentsChannel.declaration,
  presence: PresenceChannel.declaration,
  media: MediaChannel.declaration,
  user: UserChannel.declaration,
} as const satisfies Readonly<Record<string, Declaration>>

export type Declarations = typeof declarations
