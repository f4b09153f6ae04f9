/** Which source may publish which event types, and whether events from outside must be signed. */
import type { StoredMessage } from "@armoricore/bus/EventBus"
import { InvalidEvent } from "@armoricore/domain/Errors"
import { type AnyEvent, defaultEventSources, eventRegistry, internalSources } from "@armoricore/domain/EventRegistry"
import { signatureHeader, type SigningKeys, verify } from "@armoricore/domain/Signature"
import { Context, Effect, type Fiber } from "effect"
import { headerOf } from "./dead-letters/DeadLetterRecord.ts"

/** `EVENT_SOURCES`: outside sources and the types that each may publish. */
export const EventSources = Context.Reference<ReadonlyMap<string, ReadonlySet<string>>>(
  "@armoricore/worker/EventSources",
  {
    defaultValue: () =>
      new Map(Object.entries(defaultEventSources).map(([source, types]) => [source, new Set<string>(types)])),
  },
)

/** `EVENT_SIGNING_KEYS`. Without keys, unsigned events are accepted. */
export const EventSigningKeys = Context.Reference<SigningKeys>("@armoricore/worker/EventSigningKeys", {
  defaultValue: () => new Map(),
})

/** The policy of one process. */
export interface PublishPolicy {
  readonly sources: ReadonlyMap<string, ReadonlySet<string>>
  readonly signingKeys: SigningKeys
}

export const publishPolicyOf = (fiber: Pick<Fiber.Fiber<unknown>, "getRef">): PublishPolicy => ({
  sources: fiber.getRef(EventSources),
  signingKeys: fiber.getRef(EventSigningKeys),
})

/** The policy for a message that an operator replayed: the operator answers for it, not an old signature. */
export const withoutSignature = (policy: PublishPolicy): PublishPolicy => ({ ...policy, signingKeys: noSigningKeys })
const noSigningKeys: SigningKeys = new Map()

const isInternalSource = (source: string): boolean => internalSources.some((internal) => internal === source)

export const forbiddenSource = (source: string, type: string): InvalidEvent =>
  new InvalidEvent({
    reason: "unauthorized",
    path: "source",
    message: `the source ${source} may not publish ${type}; add the type to this source in EVENT_SOURCES`,
  })

/** Checks `EVENT_SOURCES` only. A plain value, because the worker loop calls it for each message. */
export const rejectionOf = ({ sources }: PublishPolicy, { event_type, source }: AnyEvent): InvalidEvent | undefined => {
  const isAllowed = isInternalSource(source)
    ? eventRegistry[event_type].publisher === source
    : sources.get(source)?.has(event_type) === true
  return isAllowed ? undefined : forbiddenSource(source, event_type)
}

export const requiresSignature = ({ signingKeys }: PublishPolicy, event: AnyEvent): boolean =>
  signingKeys.size > 0 && !isInternalSource(event.source)

/** Checks the source of a received event, and its signature where one is required. */
export const authorizeWith = (
  policy: PublishPolicy,
  event: AnyEvent,
  message: StoredMessage,
): Effect.Effect<void, InvalidEvent> => {
  const rejection = rejectionOf(policy, event)
  if (rejection !== undefined) return Effect.fail(rejection)
  return requiresSignature(policy, event)
    ? Effect.asVoid(verify(policy.signingKeys, headerOf(message, signatureHeader), message.body, message.arrivedAt))
    : Effect.void
}

export const authorize = (event: AnyEvent, message: StoredMessage): Effect.Effect<void, InvalidEvent> =>
  Effect.withFiber((fiber) => authorizeWith(publishPolicyOf(fiber), event, message))
