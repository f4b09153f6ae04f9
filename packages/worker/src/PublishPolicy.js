import { InvalidEvent } from "@armoricore/domain/Errors";
import { defaultEventSources, eventRegistry, internalSources } from "@armoricore/domain/EventRegistry";
import { signatureHeader, verify } from "@armoricore/domain/Signature";
import * as UploadToken from "@armoricore/domain/UploadToken";
import { Context, Effect } from "effect";
import { headerOf } from "./dead-letters/DeadLetterRecord.ts";
/**
 * `EVENT_SOURCES`: outside sources and the types that each may publish. Configuration, so a reference: the default is that
 * of the setting.
 */
export const EventSources = Context.Reference("@armoricore/worker/EventSources", {
    defaultValue: () => new Map(Object.entries(defaultEventSources).map(([source, types]) => [source, new Set(types)])),
});
/**
 * `EVENT_SIGNING_KEYS`. Configuration, so a reference: the default is that of the setting, no keys. Without keys, unsigned
 * events are accepted.
 */
export const EventSigningKeys = Context.Reference("@armoricore/worker/EventSigningKeys", {
    defaultValue: () => new Map(),
});
/** `undefined`: upload tokens are not checked. */
export const UploadTokens = Context.Reference("@armoricore/worker/UploadTokens", {
    defaultValue: () => undefined,
});
export const publishPolicyOf = (fiber) => ({
    sources: fiber.getRef(EventSources),
    signingKeys: fiber.getRef(EventSigningKeys),
    uploadTokens: fiber.getRef(UploadTokens),
});
/** The policy for a message that an operator replayed: the operator answers for it, not an old signature or token. */
export const withoutProofs = (policy) => ({
    ...policy,
    signingKeys: noSigningKeys,
    uploadTokens: undefined,
});
const noSigningKeys = new Map();
const isInternalSource = (source) => internalSources.some((internal) => internal === source);
export const forbiddenSource = (source, type) => unauthorized("source", `the source ${source} may not publish ${type}; add the type to this source in EVENT_SOURCES`);
const uploadTokenPath = "payload.upload_token";
/** A `media.uploaded` from outside that lacks a token although one is required, or whose token is for something else. */
export const uploadTokenFault = (policy, event) => {
    if (policy === undefined || event.event_type !== "media.uploaded")
        return undefined;
    const { payload } = event;
    if (payload.upload_token === undefined) {
        return policy.required
            ? unauthorized(uploadTokenPath, "payload.upload_token is missing; MEDIA_UPLOAD_TOKEN requires the token from the response of POST /v1/uploads")
            : undefined;
    }
    return UploadToken.isValid(policy.key, payload, payload.upload_token)
        ? undefined
        : unauthorized(uploadTokenPath, `payload.upload_token was not issued for the media ${payload.media_id}, the user ${payload.user_id} and this file_path; pass on all four as POST /v1/uploads returned them to this user (every process needs the same URL_SECRET)`);
};
const unauthorized = (path, message) => new InvalidEvent({ reason: "unauthorized", path, message });
/** Checks all but the signature. A plain value, because the worker loop calls it for each message. */
export const rejectionOf = ({ sources, uploadTokens }, event) => {
    const { event_type, source } = event;
    if (isInternalSource(source)) {
        const { alsoFrom, publisher } = eventRegistry[event_type];
        return publisher === source || alsoFrom === source ? undefined : forbiddenSource(source, event_type);
    }
    return sources.get(source)?.has(event_type) === true
        ? uploadTokenFault(uploadTokens, event)
        : forbiddenSource(source, event_type);
};
export const requiresSignature = ({ signingKeys }, event) => signingKeys.size > 0 && !isInternalSource(event.source);
/** Checks the source of a received event, its upload token, and its signature where one is required. */
export const authorizeWith = (policy, event, message) => {
    const rejection = rejectionOf(policy, event);
    if (rejection !== undefined)
        return Effect.fail(rejection);
    return requiresSignature(policy, event)
        ? Effect.asVoid(verify(policy.signingKeys, headerOf(message, signatureHeader), message.body, message.arrivedAt))
        : Effect.void;
};
export const authorize = (event, message) => Effect.withFiber((fiber) => authorizeWith(publishPolicyOf(fiber), event, message));
