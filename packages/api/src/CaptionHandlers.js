/**
 * `/v1/media/{id}/captions`: caption files of the owner of a media or an operator. A file is checked and stored here as WebVTT;
 * the media service then adds it to the stream.
 */
import { hasRole } from "@armoricore/auth/Identity";
import { work } from "@armoricore/bus/Address";
import { EventBus } from "@armoricore/bus/EventBus";
import { CaptionKind, captionsKey, captionsPrefix, canonicalLanguage, } from "@armoricore/domain/CaptionTrack";
import { deriveId, sha256 } from "@armoricore/domain/DeterministicId";
import { MediaId } from "@armoricore/domain/Ids";
import { mediaCommandKind } from "@armoricore/domain/MediaCommand";
import * as TimedText from "@armoricore/domain/TimedText";
import { isBlank } from "@armoricore/domain/VisibleText";
import * as Collection from "@armoricore/state/Collection";
import { mediaStates } from "@armoricore/state/MediaStates";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { Clock, Effect, Option, Result, Schema } from "effect";
import { HttpServerResponse } from "effect/http";
import { HttpApiBuilder } from "effect/http-api";
import { rejectGuest } from "./Authentication.ts";
import { ArmoricoreApi } from "./contract/ArmoricoreApi.ts";
import { CurrentIdentity } from "./contract/Security.ts";
import { asProblem, problem } from "./Problem.ts";
import * as RequestBody from "./RequestBody.ts";
const isMediaId = Schema.is(MediaId);
const isKind = Schema.is(CaptionKind);
const encoder = new TextEncoder();
const maxBytes = 2_000_000;
const maxTitleLength = 80;
export const layer = ({ bucket }) => HttpApiBuilder.group(ArmoricoreApi, "captions", Effect.fnUntraced(function* (handlers) {
    const states = yield* Collection.make(mediaStates);
    const bus = yield* EventBus;
    const storage = yield* ObjectStorage;
    const findOwn = Effect.fnUntraced(function* (id) {
        const identity = yield* CurrentIdentity;
        yield* rejectGuest(identity);
        const state = isMediaId(id) ? Option.getOrUndefined(yield* states.get(id))?.value : undefined;
        if (state === undefined || state.deleted_at !== undefined) {
            return yield* problem(404, "not_found", "no media with this id is known; it is known once its upload was published");
        }
        if (state.user_id !== identity.userId && !hasRole(identity, "operator")) {
            return yield* problem(403, "forbidden", "only the owner of a media or an operator may do this");
        }
        return state;
    });
    const enqueue = (command, discriminator) => {
        const id = deriveId("media", command.action, command.media_id, discriminator);
        const body = encoder.encode(JSON.stringify({ cause_id: id, payload: command }));
        return bus.publish({ address: work("media", mediaCommandKind), id, body });
    };
    const set = Effect.fn("CaptionApi.set")(function* (request, id, query) {
        const { media_id } = yield* findOwn(id);
        const track = yield* trackOf(query);
        const title = query.title?.trim();
        if (title !== undefined && (title.length > maxTitleLength || isBlank(title))) {
            return yield* problem(422, "invalid", `title has 1 to ${maxTitleLength} visible characters`, "title");
        }
        const cues = yield* parseFile(yield* RequestBody.bytes(request, maxBytes));
        const vtt = TimedText.render(cues);
        const hash = sha256(vtt).slice(0, 12);
        const key = `${captionsPrefix(media_id)}${track.language}-${track.kind}-${hash}.vtt`;
        yield* storage.put({ bucket, key }, encoder.encode(vtt), {
            contentType: "text/vtt; charset=utf-8",
        });
        const now = yield* Clock.currentTimeMillis;
        const captions = {
            ...track,
            ...(title === undefined ? {} : { title }),
            key,
            cues: cues.length,
            uploaded_at: new Date(now).toISOString(),
        };
        yield* enqueue({ action: "set_captions", media_id, captions }, `${captionsKey(track)} ${hash} ${now}`);
        return HttpServerResponse.jsonUnsafe({ media_id, ...track, cues: cues.length }, { status: 202 });
    });
    const remove = Effect.fn("CaptionApi.remove")(function* (id, query) {
        const { captions = {}, media_id } = yield* findOwn(id);
        const track = yield* trackOf(query);
        const key = captionsKey(track);
        const known = captions[key];
        if (known === undefined) {
            const all = Object.keys(captions).join(", ");
            const detail = `no ${track.kind} in ${track.language} were uploaded; uploaded are: ${all === "" ? "none" : all}`;
            return yield* problem(404, "not_found", detail, "language");
        }
        yield* enqueue({ action: "remove_captions", media_id, captions_key: key }, `${key} ${known.uploaded_at}`);
        return { media_id, ...track };
    });
    return handlers
        .handleRaw("set", ({ params, query, request }) => asProblem(set(request, params.id, query)))
        .handle("remove", ({ params, query }) => asProblem(remove(params.id, query)));
}));
const trackOf = Effect.fnUntraced(function* ({ kind = "captions", language = "" }) {
    const canonical = canonicalLanguage(language);
    if (canonical === undefined) {
        return yield* problem(422, "invalid", `language ${JSON.stringify(language.slice(0, 40))} is no language tag; send one such as de or pt-BR`, "language");
    }
    if (!isKind(kind)) {
        const kinds = CaptionKind.literals.join(", ");
        return yield* problem(422, "invalid", `kind ${JSON.stringify(kind.slice(0, 40))} is none of ${kinds}`, "kind");
    }
    return { language: canonical, kind };
});
const decodeUtf8 = Option.liftThrowable((bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes));
const parseFile = Effect.fnUntraced(function* (bytes) {
    const text = Option.getOrUndefined(decodeUtf8(bytes));
    if (text === undefined || text.includes("\0")) {
        return yield* problem(422, "not_utf8", "the file is no text in UTF-8; save it as UTF-8 and send it again");
    }
    const parsed = TimedText.parse(text);
    if (Result.isFailure(parsed)) {
        const { line, message } = parsed.failure;
        return yield* problem(422, "invalid_captions", `line ${line}: ${message}`, `line.${line}`);
    }
    return parsed.success;
});
