/** A provider of pushes and mails that accepts every message and records it. */
import { Effect } from "effect"
import { layer as providerLayer, type Message } from "../../src/provider/Provider.ts"

/** `sent` is emptied each time the layer is built. */
export const make = () => {
  const sent: Array<Message> = []
  const layer = providerLayer(
    Effect.sync(() => {
      sent.length = 0
      return {
        name: "recorder",
        channels: ["fcm", "email"] as const,
        reports: false,
        send: (message: Message) =>
          Effect.sync(() => {
            sent.push(message)
            return {}
          }),
      }
    }),
  )
  return { layer, sent }
}
