/** Which source may publish what, and whether outside events must be signed. */
import { Rejected } from "@armoricore/domain/Errors"
import { type AnyEvent, catalogue, type EventType, ownSources } from "@armoricore/domain/Events"
import { signatureHeader, type SigningKeys, verify } from "@armoricore/domain/Signature"
import type { Stored } from "@armoricore/bus/EventBus"
import { Context, Effect } from "effect"
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

/** The whole judgement of a received event. */
export const authorize = (event: AnyEvent, message: Stored): Effect.Effect<void, Rejected> =>
  Effect.withFiber((fiber) => {
    const allowed = mayPublish(fiber.getRef(EventSources), event.source, event.event_type)
    const keys = fiber.getRef(EventSigningKeys)
    if (keys.size === 0 || isOwnSource(event.source)) return allowed
    return Effect.andThen(allowed, verify(keys, headerOf(message, signatureHeader), message.body, message.arrivedAt))
  })
