/**
 * The provider of an installation without any other: e-mail appears on the page `/mailbox`, push on the demo page. No
 * message leaves this machine. The state stores them for a week.
 */
import type { NotificationChannel, InboxMessage, Target } from "@armoricore/domain/NotificationState"
import * as Collection from "@armoricore/state/Collection"
import { inboxMessages } from "@armoricore/state/NotificationStates"
import { Clock, Effect } from "effect"
import { layer as providerLayer, type Message, type Provider } from "../../provider/Provider.ts"
import { hashOf } from "../../request/Target.ts"

/** Text and HTML together. The HTML of a longer mail is dropped, so that the rest fits into a state document. */
const maxBodyCharacters = 400_000

export const layer = (channels: ReadonlyArray<NotificationChannel>) => providerLayer(make(channels))

/** Tokens and URLs are secrets. */
const addressOf = (target: Target): string =>
  target.channel === "email" ? target.address : target.channel === "sms" ? target.number : hashOf(target).slice(0, 16)

export const make = Effect.fnUntraced(function* (channels: ReadonlyArray<NotificationChannel>) {
  const messages = yield* Collection.make(inboxMessages)
  const send = Effect.fnUntraced(function* (message: Message) {
    const now = yield* Clock.currentTimeMillis
    const { target } = message
    const received: InboxMessage = {
      message_id: message.deliveryId,
      user_id: message.userId,
      notification_id: message.notificationId,
      channel: target.channel,
      to: addressOf(target),
      title: message.title,
      text: message.text,
      ...(message.html === undefined || message.text.length + message.html.length > maxBodyCharacters
        ? {}
        : { html: message.html }),
      data: message.data,
      attachments: message.attachments.map(({ file_path }) => file_path),
      ...(message.unsubscribeUrl === undefined ? {} : { unsubscribe_url: message.unsubscribeUrl }),
      ...(message.preferencesUrl === undefined ? {} : { preferences_url: message.preferencesUrl }),
      received_at: new Date(now).toISOString(),
    }
    // A repeated delivery replaces its document.
    yield* messages.put(message.deliveryId, received)
    return { providerId: message.deliveryId }
  })
  return { name: "inbox", channels, reports: false, send } satisfies Provider
})
