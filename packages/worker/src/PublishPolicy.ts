/**
 * Which source may publish which event types, whether events from outside must be signed, and whether `media.uploaded` must
 * prove that the file belongs to its user.
 */
import type { StoredMessage } from "@armoricore/bus/EventBus"
import { InvalidEvent } from "@armoricore/domain/Errors"
import { type AnyEvent, defaultEventSources, eventRegistry, internalSources } from "@armoricore/domain/EventRegistry"
import { signatureHeader, type SigningKeys, verify } from "@armoricore/domain/Signature"
import * as UploadToken from "@armoricore/domain/UploadToken"
import { Context, Effect, type Fiber, type Redacted } from "effect"
import { headerOf } from "./dead-letters/DeadLetterRecord.ts"

/**
 * `EVENT_SOURCES`: outside sources and the types that each may publish. Configuration, so a reference: the default is that
 * of the setting.
 */
export const EventSources = Context.Reference<ReadonlyMap<string, ReadonlySet<string>>>(
  "@armoricore/worker/EventSources",
  {
    defaultValue: () =>
      new Map(Object.entries(defaultEventSources).map(([source, types]) => [source, new Set<string>(types)])),
  },
)

/**
 * `EVENT_SIGNING_KEYS`. Configuration, so a reference: the default is that of the setting, no keys. Without keys, unsigned
 * events are accepted.
 */
export const EventSigningKeys = Context.Reference<SigningKeys>("@armoricore/worker/EventSigningKeys", {
  defaultValue: () => new Map(),
})

/** `MEDIA_UPLOAD_TOKEN`. A token that is present must be valid in either case. */
export interface UploadTokenPolicy {
  readonly key: Redacted.Redacted<string>
  readonly required: boolean
}

/** `undefined`: upload tokens are not checked. */
export const UploadTokens = Context.Reference<UploadTokenPolicy | undefined>("@armoricore/worker/UploadTokens", {
  defaultValue: () => undefined,
})

/** The policy of one process. */
export interface PublishPolicy {
  readonly sources: ReadonlyMap<string, ReadonlySet<string>>
  readonly signingKeys: SigningKeys
  readonly uploadTokens: UploadTokenPolicy | undefined
}

export const publishPolicyOf = (fiber: Pick<Fiber.Fiber<unknown>, "getRef">): PublishPolicy => ({
  sources: fiber.getRef(EventSources),
  signingKeys: fiber.getRef(EventSigningKeys),
  uploadTokens: fiber.getRef(UploadTokens),
})

/** The policy for a message that an operator replayed: the operator answers for it, not an old signature or token. */
export const withoutProofs = (policy: PublishPolicy): PublishPolicy => ({
  ...policy,
  signingKeys: noSigningKeys,
  uploadTokens: undefined,
})
const noSigningKeys: SigningKeys = new Map()

const isInternalSource = (source: string): boolean => internalSources.some((internal) => internal === source)

export const forbiddenSource = (source: string, type: string): InvalidEvent =>
  unauthorized("source", `the source ${source} may not publish ${type}; add the type to this source in EVENT_SOURCES`)

const uploadTokenPath = "payload.upload_token"

/** A `media.uploaded` from outside that lacks a token although one is required, or whose token is for something else. */
export const uploadTokenFault = (policy: UploadTokenPolicy | undefined, event: AnyEvent): InvalidEvent | undefined => {
  if (policy === undefined || event.event_type !== "media.uploaded") return undefined
  const { payload } = event
  if (payload.upload_token === undefined) {
    return policy.required
      ? unauthorized(
          uploadTokenPath,
          "payload.upload_token is missing; MEDIA_UPLOAD_TOKEN requires the token from the response of POST /v1/uploads",
        )
      : undefined
  }
  return UploadToken.isValid(policy.key, payload, payload.upload_token)
    ? undefined
    : unauthorized(
        uploadTokenPath,
        `payload.upload_token was not issued for the media ${payload.media_id}, the user ${payload.user_id} and this file_path; pass on all four as POST /v1/uploads returned them to this user (every process needs the same URL_SECRET)`,
      )
}

const unauthorized = (path: string, message: string): InvalidEvent =>
  new InvalidEvent({ reason: "unauthorized", path, message })

/** Checks all but the signature. A plain value, because the worker loop calls it for each message. */
export const rejectionOf = ({ sources, uploadTokens }: PublishPolicy, event: AnyEvent): InvalidEvent | undefined => {
  const { event_type, source } = event
  if (isInternalSource(source)) {
    const { alsoFrom, publisher } = eventRegistry[event_type]
    return publisher === source || alsoFrom === source ? undefined : forbiddenSource(source, event_type)
  }
  return sources.get(source)?.has(event_type) === true
    ? uploadTokenFault(uploadTokens, event)
    : forbiddenSource(source, event_type)
}

export const requiresSignature = ({ signingKeys }: PublishPolicy, event: AnyEvent): boolean =>
  signingKeys.size > 0 && !isInternalSource(event.source)

/** Checks the source of a received event, its upload token, and its signature where one is required. */
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
