/**
 * The route port: one way to reach a channel's targets through one provider. A new provider is one file that makes a
 * `Route` and a Layer that registers it; nothing else knows it.
 *
 * A route calls once and says what came of it in classes that decide the recovery:
 *
 * | failure | what happens |
 * |---|---|
 * | `TargetDead` | the delivery failed; the backend is told to drop the token, an address is suppressed |
 * | `PermanentError` | the delivery failed |
 * | `ConfigurationError` | the route pauses with an alarm; messages wait, or take the next route |
 * | `TargetForeign` | the delivery failed if the route works for others; else as `ConfigurationError` |
 * | `KindUnreachable` | messages to such targets wait, with an alarm; the route goes on for the others |
 * | `TransientError` | tried again with backoff, no earlier than asked; or by the next route |
 * | `OutcomeUnknown` | the provider may have taken it: the channel's policy decides whether to send again |
 */
import type { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import type { Attachment, NotificationChannel, Target } from "@armoricore/domain/NotificationState"
import { Context, Effect, Layer, Schema } from "effect"
import { hash } from "node:crypto"

/** The token or address will never be good again. */
export class InvalidTarget extends Schema.TaggedError<InvalidTarget>()("InvalidTarget", {
  /** Lower case with underscores, for example `unregistered`. */
  reason: Schema.String,
  message: Schema.String,
  /** Since when, epoch milliseconds: a token that was registered later is another one. */
  invalidSince: Schema.optionalKey(Schema.Finite),
}) {}

/**
 * The provider knows the target, but not as one of ours: it was registered with another project or app, or our settings
 * name the wrong one. Who else is reached decides which: a single token must not hold up everybody's pushes.
 */
export class SenderMismatch extends Schema.TaggedError<SenderMismatch>()("SenderMismatch", {
  /** Lower case with underscores, for example `sender_id_mismatch`. */
  reason: Schema.String,
  /** The one to look at where nobody is reached. */
  setting: Schema.String,
  message: Schema.String,
}) {}

/**
 * What an operator set at the provider keeps it from targets of one kind; which those are only its answer tells. It
 * reaches the others.
 */
export class TargetKindMisconfigured extends Schema.TaggedError<TargetKindMisconfigured>()("TargetKindMisconfigured", {
  /** As a metric's label names it, lower case with underscores. */
  kind: Schema.String,
  message: Schema.String,
}) {}

/** The request left, and no answer came. */
export class UnknownOutcome extends Schema.TaggedError<UnknownOutcome>()("UnknownOutcome", {
  message: Schema.String,
}) {}

export type ProviderError =
  | InvalidTarget
  | SenderMismatch
  | TargetKindMisconfigured
  | PermanentError
  | ConfigurationError
  | TransientError
  | UnknownOutcome

/** One delivery, ready to be sent. Sending it again uses the same ids, so that devices and mailboxes see one. */
export interface Message {
  readonly deliveryId: string
  readonly notificationId: string
  readonly userId: string
  readonly target: Target
  readonly title: string
  readonly text: string
  readonly html?: string
  readonly data: Readonly<Record<string, Schema.Json>>
  /** What the publisher wants replaced by this; at most 64 bytes. */
  readonly collapseKey?: string
  /** A UUID that stays with the delivery. */
  readonly uuid: string
  /** Epoch milliseconds. */
  readonly expiresAt?: number
  readonly attachments: ReadonlyArray<Attachment>
  /** RFC 8058: a POST there unsubscribes. */
  readonly unsubscribeUrl?: string
}

/**
 * What replaces what, as a header can carry it: the publisher's key where it is printable ASCII, else a digest of it, so
 * that the same key still is the same; without a key the delivery's own id.
 */
export const collapseIdOf = ({ collapseKey, uuid }: Pick<Message, "collapseKey" | "uuid">): string => {
  if (collapseKey === undefined) return uuid
  return /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(collapseKey)
    ? collapseKey
    : hash("sha256", collapseKey).slice(0, 32)
}

export interface Accepted {
  readonly providerId?: string
}

export interface Provider {
  /** As events name it: `fcm`, `apns`, `web_push`, `smtp`, … */
  readonly name: string
  readonly channels: ReadonlyArray<NotificationChannel>
  /** Calls a second; absent: no limit of our own. */
  readonly maxPerSecond?: number
  /** Calls at once in this process, for a provider that takes few: what waits for its turn is not begun yet. */
  readonly maxConcurrent?: number
  /** Whether webhooks report deliveries later. */
  readonly reports: boolean
  /** Names what fails together, where a route reaches several servers: each has a circuit of its own. */
  readonly circuitKey?: (message: Message) => string
  readonly send: (message: Message) => Effect.Effect<Accepted, ProviderError>
  /**
   * Whether the interrupted call of a delivery ended before the provider could have its message; asked once. Absent:
   * nobody knows.
   */
  readonly wasAbortedBeforeSend?: (deliveryId: string) => boolean
}

export class ProviderRegistry extends Context.Service<
  ProviderRegistry,
  {
    readonly register: (provider: Provider) => Effect.Effect<void>
    /** In the order in which they are to be tried. */
    readonly forChannel: (channel: NotificationChannel) => ReadonlyArray<Provider>
  }
>()("@armoricore/notify/ProviderRegistry") {
  /** Routes named in `order` come first, in that order; the others as they were registered. */
  static readonly layer = (order: ReadonlyArray<string> = []): Layer.Layer<ProviderRegistry> =>
    Layer.sync(ProviderRegistry, () => {
      const providers: Array<Provider> = []
      const position = ({ name }: Provider) => (order.includes(name) ? order.indexOf(name) : order.length)
      return {
        register: (provider) =>
          Effect.sync(() => {
            providers.push(provider)
            providers.sort((a, b) => position(a) - position(b))
          }),
        forChannel: (channel) => providers.filter(({ channels }) => channels.includes(channel)),
      }
    })
}

/** The Layer of a route: made once, with what it needs, and known to the deliveries. */
export const layer = <E, R>(make: Effect.Effect<Provider, E, R>) =>
  Layer.effectDiscard(
    Effect.flatMap(make, (provider) => Effect.flatMap(ProviderRegistry, (registry) => registry.register(provider))),
  )
