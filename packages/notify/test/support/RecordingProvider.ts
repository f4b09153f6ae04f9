/** A provider that accepts every message and records it. */
import type { NotificationChannel } from "@armoricore/domain/NotificationState"
import { Effect } from "effect"
import { layer as providerLayer, type Message } from "../../src/provider/Provider.ts"

interface Options {
  readonly channels?: readonly [NotificationChannel, ...ReadonlyArray<NotificationChannel>]
  /** Runs before a message is accepted. */
  readonly accept?: (message: Message) => Effect.Effect<void>
}

/** `sent` is emptied each time the layer is built. */
export const make = ({ accept = () => Effect.void, channels = ["fcm", "email"] }: Options = {}) => {
  const sent: Array<Message> = []
  const layer = providerLayer(
    Effect.sync(() => {
      sent.length = 0
      return {
        name: "recorder",
        channels,
        reports: false,
        send: (message: Message) =>
          Effect.map(accept(message), () => {
            sent.push(message)
            return {}
          }),
      }
    }),
  )
  return { layer, sent }
}
