/** Which source may publish what, and whether outside events must be signed. */
import { Rejected } from "@armoricore/domain/Errors"
import { type AnyEvent, catalogue, type EventType, ownSources } from "@armoricore/domain/Events"
import { signatureHeader, type SigningKeys, verify } from "@armoricore/domain/Signature"
import type { Stored } from "@armoricore/bus/EventBus"
import { Context, Effect, type Fiber } from "effect"
import { headerOf } from "./Letter.ts"

/** `EVENT_SOURCES`: outside sources and the types each may publish. */
export const EventSources = Context.Reference<ReadonlyMap<string, ReadonlySet<string>>>(
  "@armoricore/worker/EventSources",
  {
    defaultValue: () =>
      new Map([["php-backend", new Set(["media.uploaded", "notification.requested", "transcription.requested"])]]),
  },
)

/** `EVENT_SIGNING_KEYS`; empty: signatures are not asked for. */
export const EventSigningKeys = Context.Reference<SigningKeys>("@armoricore/worker/EventSigningKeys", {
  defaultValue: () => new Map(),
})

const isOwnSource = (source: string): boolean => ownSources.some((own) => own === source)

/** Whether a source may publish a type, from the table alone. */
export const mayPublish = (
  sources: ReadonlyMap<string, ReadonlySet<string>>,
  source: string,
  type: EventType,
): Effect.Effect<void, Rejected> => {
  const allowed = isOwnSource(source) ? catalogue[type].publisher === source : sources.get(source)?.has(type) === true
  return allowed
    ? Effect.void
    : Effect.fail(
        new Rejected({
          reason: "unauthorized",
          path: "source",
          message: `the source ${source} may not publish ${type}; EVENT_SOURCES says who may`,
        }),
      )
}

/** What a process is told of those who publish. */
export interface Rights {
  readonly sources: ReadonlyMap<string, ReadonlySet<string>>
  readonly keys: SigningKeys
}

export const rightsOf = (fiber: Pick<Fiber.Fiber<unknown>, "getRef">): Rights => ({
  sources: fiber.getRef(EventSources),
  keys: fiber.getRef(EventSigningKeys),
})

/** The whole judgement of a received event; `Effect.void` itself where nothing more is to be done. */
export const judge = ({ keys, sources }: Rights, event: AnyEvent, message: Stored): Effect.Effect<void, Rejected> => {
  const allowed = mayPublish(sources, event.source, event.event_type)
  if (keys.size === 0 || isOwnSource(event.source)) return allowed
  return Effect.andThen(allowed, verify(keys, headerOf(message, signatureHeader), message.body, message.arrivedAt))
}

export const authorize = (event: AnyEvent, message: Stored): Effect.Effect<void, Rejected> =>
  Effect.withFiber((fiber) => judge(rightsOf(fiber), event, message))
