/** Which source may publish what, and whether outside events must be signed. */
import { InvalidEvent } from "@armoricore/domain/Errors"
import {
  type AnyEvent,
  defaultEventSources,
  eventRegistry,
  type EventType,
  internalSources,
} from "@armoricore/domain/EventRegistry"
import { signatureHeader, type SigningKeys, verify } from "@armoricore/domain/Signature"
import type { StoredMessage } from "@armoricore/bus/EventBus"
import { Context, Effect, type Fiber } from "effect"
import { headerOf } from "./dead-letters/DeadLetterRecord.ts"

/** `EVENT_SOURCES`: outside sources and the types each may publish. */
export const EventSources = Context.Reference<ReadonlyMap<string, ReadonlySet<string>>>(
  "@armoricore/worker/EventSources",
  {
    defaultValue: () =>
      new Map(Object.entries(defaultEventSources).map(([source, types]) => [source, new Set<string>(types)])),
  },
)

/** `EVENT_SIGNING_KEYS`; empty: signatures are not asked for. */
export const EventSigningKeys = Context.Reference<SigningKeys>("@armoricore/worker/EventSigningKeys", {
  defaultValue: () => new Map(),
})

const isInternalSource = (source: string): boolean => internalSources.some((own) => own === source)

/** Whether a source may publish a type, from the table alone. */
export const authorizeSource = (
  sources: ReadonlyMap<string, ReadonlySet<string>>,
  source: string,
  type: EventType,
): Effect.Effect<void, InvalidEvent> => {
  const allowed = isInternalSource(source)
    ? eventRegistry[type].publisher === source
    : sources.get(source)?.has(type) === true
  return allowed
    ? Effect.void
    : Effect.fail(
        new InvalidEvent({
          reason: "unauthorized",
          path: "source",
          message: `the source ${source} may not publish ${type}; EVENT_SOURCES says who may`,
        }),
      )
}

/** What a process is told of those who publish. */
export interface PublishPolicy {
  readonly sources: ReadonlyMap<string, ReadonlySet<string>>
  readonly signingKeys: SigningKeys
}

export const publishPolicyOf = (fiber: Pick<Fiber.Fiber<unknown>, "getRef">): PublishPolicy => ({
  sources: fiber.getRef(EventSources),
  signingKeys: fiber.getRef(EventSigningKeys),
})

/** The whole judgement of a received event; `Effect.void` itself where nothing more is to be done. */
export const authorizeWith = (
  { signingKeys, sources }: PublishPolicy,
  event: AnyEvent,
  message: StoredMessage,
): Effect.Effect<void, InvalidEvent> => {
  const allowed = authorizeSource(sources, event.source, event.event_type)
  if (signingKeys.size === 0 || isInternalSource(event.source)) return allowed
  return Effect.andThen(
    allowed,
    verify(signingKeys, headerOf(message, signatureHeader), message.body, message.arrivedAt),
  )
}

export const authorize = (event: AnyEvent, message: StoredMessage): Effect.Effect<void, InvalidEvent> =>
  Effect.withFiber((fiber) => authorizeWith(publishPolicyOf(fiber), event, message))
