/**
 * After the last object of a version is in storage: builds the result, publishes the version in the state record and
 * removes superseded versions.
 */
import { TransientError } from "@armoricore/domain/Errors";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls";
import { Effect, Record, Stream } from "effect";
import * as PlayableEvent from "./PlayableEvent.ts";
import * as MasterPlaylist from "../packaging/MasterPlaylist.ts";
import * as MediaRecord from "../record/MediaRecord.ts";
import { toMetadata } from "../probe/MediaInfo.ts";
export const make = Effect.fnUntraced(function* (bucket, record) {
    const storage = yield* ObjectStorage;
    const playback = yield* PlaybackUrls;
    const removePrefix = (prefix) => Stream.runForEach(storage.list(bucket, prefix), ({ key }) => storage.remove({ bucket, key }));
    const removeStale = (prefixes) => Effect.forEach(prefixes, removePrefix, { discard: true }).pipe(
    // Best effort: leftover objects only cost space.
    Effect.catch((error) => Effect.logWarning("Objects of earlier attempts could not be removed; delete them by hand", { prefixes, error })));
    const urlFor = (key) => playback.urlFor({ bucket, key });
    const toReadyPayload = Effect.fnUntraced(function* ({ bytes, event: { payload }, info, stream }) {
        const top = stream.renditions[0];
        return {
            media_id: payload.media_id,
            user_id: payload.user_id,
            playback_urls: {
                hls: yield* urlFor(stream.master),
                ...(stream.dash === undefined ? {} : { dash: yield* urlFor(stream.dash) }),
                mp4: yield* Effect.all(Record.map(stream.mp4, urlFor)),
            },
            thumbnail_urls: yield* Effect.forEach(stream.thumbnails, urlFor),
            ...(stream.poster === undefined ? {} : { poster_url: yield* urlFor(stream.poster) }),
            ...(stream.storyboard === undefined ? {} : { storyboard_url: yield* urlFor(stream.storyboard) }),
            duration: Math.round(stream.seconds * 1000) / 1000,
            ...(top === undefined ? {} : { width: top.width, height: top.height }),
            // Further codecs have the same sizes.
            resolutions: stream.renditions
                .filter(({ codec }) => MasterPlaylist.codecFamily(codec) === MasterPlaylist.codecFamily(top?.codec ?? ""))
                .map(({ name }) => name),
            metadata: {
                ...payload.metadata,
                ...(info.chapters === undefined ? {} : { chapters: info.chapters }),
                source: toMetadata(info, bytes),
                ...(Record.isEmptyReadonlyRecord(stream.images)
                    ? {}
                    : { images: yield* Effect.all(Record.map(stream.images, urlFor)) }),
            },
        };
    });
    const publish = Effect.fn("VersionPublisher.publish")(function* (version) {
        const { attempt, event, isPlayablePublished, stream, timings } = version;
        const ready = yield* toReadyPayload(version);
        const published = yield* record.publish(event, {
            attempt,
            ready,
            isPlayablePublished,
            renditions: stream.renditions.map((rendition) => ({
                name: rendition.name,
                width: rendition.width,
                height: rendition.height,
                bandwidth: MasterPlaylist.bandwidth(rendition, stream.audioTracks),
            })),
            timings,
        });
        if (published._tag === "Superseded") {
            yield* removeStale([attempt.prefix]);
            return { _tag: "Superseded" };
        }
        yield* removeStale(published.stalePrefixes);
        return {
            _tag: "Ready",
            ready,
            playableEvent: isPlayablePublished ? undefined : PlayableEvent.fromReady(ready, attempt.prefix),
        };
    });
    const unlessSuperseded = (mediaId, attempt) => (effect) => Effect.catch(effect, (error) => Effect.gen(function* () {
        if (!isTransient(error) || !MediaRecord.isSuperseded(yield* record.find(mediaId), attempt))
            return yield* Effect.fail(error);
        yield* removeStale([attempt.prefix]);
        return undefined;
    }));
    return { publish, unlessSuperseded, removeStale, removePrefix };
});
const isTransient = (error) => error instanceof TransientError;
