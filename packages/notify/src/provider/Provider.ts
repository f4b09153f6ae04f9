/**
 * The port of a delivery provider: it sends a message to a target of its channel. A new provider is one file with a
 * `Provider` and its descriptor (see `ProviderDescriptor`).
 *
 * A provider makes one call and reports the result in classes that decide the recovery:
 *
 * | failure | recovery |
 * |---|---|
 * | `InvalidTarget` | the delivery fails; an event asks the backend to drop the token; an address is suppressed |
 * | `PermanentError` | the delivery fails |
 * | `Refusal` | as `InvalidTarget` or `PermanentError` while others are accepted; else as `ConfigurationError` |
 * | `ConfigurationError` | the provider is paused with an alarm; messages wait, or go to the next provider |
 * | `TargetKindMisconfigured` | messages to targets of this kind wait, with an alarm; the others are sent |
 * | `TransientError` | retried with backoff, no earlier than `retryAfterMillis`; or sent by the next provider |
 * | `UnknownOutcome` | the provider may have accepted it: the policy of the channel decides whether to send again |
 */
import type { ConfigurationError, PermanentError, TransientError } from "@armoricore/domain/Errors"
import type { Attachment, NotificationChannel, PushContent, Target } from "@armoricore/domain/NotificationState"
import { Context, Effect, type Exit, Layer, Schema } from "effect"
import { hash } from "node:crypto"

/** The token or address is invalid for ever: the provider says so of this recipient beyond doubt. */
export class InvalidTarget extends Schema.TaggedError<InvalidTarget>()("InvalidTarget", {
  /** Lower case with underscores, for example `unregistered`. */
  reason: Schema.String,
  message: Schema.String,
  /** Epoch milliseconds. A token that was registered later is a different one. */
  invalidSince: Schema.optionalKey(Schema.Finite),
}) {}

/**
 * The provider refuses this recipient or this message, and wrong settings would get the same response. `RefusalRun`
 * decides by the responses to others.
 */
export class Refusal extends Schema.TaggedError<Refusal>()("Refusal", {
  /** The party at fault if others are accepted. */
  fault: Schema.Literals(["recipient", "message"]),
  /** Lower case with underscores, for example `sender_id_mismatch`. */
  reason: Schema.String,
  /** The setting to check if none is accepted. */
  setting: Schema.String,
  message: Schema.String,
  /** The token or address is invalid for ever if others are accepted. */
  isTargetInvalid: Schema.optionalKey(Schema.Boolean),
  /** The provider asks to try again later, so the message is deferred instead of failed. */
  isTemporary: Schema.optionalKey(Schema.Boolean),
}) {}

/**
 * The configuration at the provider excludes targets of one kind. Only the response to a call tells the kind of a target.
 */
export class TargetKindMisconfigured extends Schema.TaggedError<TargetKindMisconfigured>()("TargetKindMisconfigured", {
  /** The label of a metric, lower case with underscores. */
  kind: Schema.String,
  message: Schema.String,
}) {}

/** The request may have reached the provider, and no response arrived. */
export class UnknownOutcome extends Schema.TaggedError<UnknownOutcome>()("UnknownOutcome", {
  message: Schema.String,
}) {}

export type ProviderError =
  | InvalidTarget
  | Refusal
  | TargetKindMisconfigured
  | PermanentError
  | ConfigurationError
  | TransientError
  | UnknownOutcome

/** Addresses are validated. */
export interface EmailFields {
  readonly replyTo: ReadonlyArray<string>
  readonly cc: ReadonlyArray<string>
  readonly bcc: ReadonlyArray<string>
  /** Replaces the name in `MAIL_FROM`. */
  readonly fromName?: string
}

/** The party at fault. `us`: the settings or the reputation of this installation. */
export type Fault = "recipient" | "message" | "us" | "provider" | "unknown"

/** The cause of one response by itself; `RefusalRun` corrects it by the responses to others. */
export const faultOf = (error: ProviderError): Fault => {
  switch (error._tag) {
    case "InvalidTarget":
      return "recipient"
    case "PermanentError":
      return "message"
    case "Refusal":
      return error.fault
    case "ConfigurationError":
    case "TargetKindMisconfigured":
      return "us"
    case "TransientError":
      return "provider"
    case "UnknownOutcome":
      return "unknown"
  }
}

/** One delivery, ready to be sent. Sending it again uses the same ids, so that devices and mailboxes show it once. */
export interface Message {
  readonly deliveryId: string
  readonly notificationId: string
  readonly userId: string
  /** The `request_id` of the request. */
  readonly requestId?: string
  readonly target: Target
  readonly title: string
  readonly text: string
  readonly html?: string
  readonly data: Readonly<Record<string, Schema.Json>>
  readonly category?: string
  /** The user whose action led to it. */
  readonly actor?: string
  /** Replaces an earlier notification with the same key on the device; at most 64 bytes. */
  readonly collapseKey?: string
  /** A UUID that stays the same for every attempt. */
  readonly uuid: string
  /** Epoch milliseconds. */
  readonly expiresAt?: number
  readonly attachments: ReadonlyArray<Attachment>
  /** How devices present a push. */
  readonly push?: Omit<PushContent, "badge"> & { readonly badge?: number }
  readonly email?: EmailFields
  /** The page on which the reader of a mail chooses what to receive. */
  readonly preferencesUrl?: string
  /** RFC 8058: a POST there unsubscribes. */
  readonly unsubscribeUrl?: string
}

/**
 * The collapse key as a header value: the publisher's key if it is printable ASCII, else its digest; without a key the
 * UUID of the delivery.
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

/**
 * Starts a call. One of the two functions is called, once: `end` with the end of the call, or `rest` with the effect that ends
 * it. The returned function aborts the call; what it leads to is ignored.
 */
export type StartCall = (
  message: Message,
  end: (exit: Exit.Exit<Accepted, ProviderError>) => void,
  rest: (effect: Effect.Effect<Accepted, ProviderError>) => void,
) => () => void

const startCalls = new WeakMap<Provider["send"], StartCall>()

/** The `send` of a provider whose calls are callbacks, so that a hot path needs no fiber for them. */
export const sendBy = (start: StartCall): Provider["send"] => {
  const send: Provider["send"] = (message) => Effect.callback((resume) => Effect.sync(start(message, resume, resume)))
  startCalls.set(send, start)
  return send
}

/** `send` as a {@link StartCall}. It belongs to the function, so a wrapper of `send` is never bypassed. */
export const startOf = ({ send }: Provider): StartCall =>
  startCalls.get(send) ??
  ((message, _end, rest) => {
    rest(send(message))
    return abortsWithFiber
  })

const abortsWithFiber = () => {}

export interface Provider {
  /** The name in events: `fcm`, `apns`, `web_push`, `smtp`, … */
  readonly name: string
  readonly channels: ReadonlyArray<NotificationChannel>
  /** Calls per second; absent: unlimited. */
  readonly maxPerSecond?: number
  /** Concurrent calls in this process. A delivery that waits for its turn has not started its attempt. */
  readonly maxConcurrent?: number
  /** Whether a webhook reports deliveries later. */
  readonly reports: boolean
  /** For a provider that reaches several servers: the name of the server. Each has its own circuit. */
  readonly circuitKey?: (message: Message) => string
  /** One call. It has no span of its own, as pushes are a hot path. */
  readonly send: (message: Message) => Effect.Effect<Accepted, ProviderError>
  /**
   * Whether the interrupted call of a delivery ended before the provider received the whole message. Called once per
   * interruption. Absent: unknown.
   */
  readonly wasAbortedBeforeSend?: (deliveryId: string) => boolean
}

export class ProviderRegistry extends Context.Service<
  ProviderRegistry,
  {
    readonly register: (provider: Provider) => Effect.Effect<void>
    /** In the order in which they are tried. */
    readonly forChannel: (channel: NotificationChannel) => ReadonlyArray<Provider>
  }
>()("@armoricore/notify/ProviderRegistry") {
  /** Providers named in `order` come first, in that order; the others in the order of registration. */
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

/** The Layer of a provider: creates and registers it. */
export const layer = <E, R>(make: Effect.Effect<Provider, E, R>) =>
  Layer.effectDiscard(
    Effect.flatMap(make, (provider) => Effect.flatMap(ProviderRegistry, (registry) => registry.register(provider))),
  )
