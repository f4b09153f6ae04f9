import { History } from "@armoricore/history/History";
import { RealtimeAdmin } from "@armoricore/realtime/admin/RealtimeAdmin";
import * as Topic from "@armoricore/realtime/channel/Topic";
import * as Collection from "@armoricore/state/Collection";
import { notificationStates } from "@armoricore/state/NotificationStates";
import { transcriptStates } from "@armoricore/state/TranscriptStates";
import { traceIdOf } from "@armoricore/worker/TraceContext";
import { Effect, Option, Result, Schema } from "effect";
import { JobIndex } from "../JobIndex.ts";
import { mapErrors, notFound } from "./Errors.ts";
import { toOpenSocket } from "./SocketHandlers.ts";
const maxSearchedEvents = 200;
const [maxJobs, maxEvents, maxNotifications, maxSockets] = [50, 50, 20, 100];
export const make = Effect.gen(function* () {
    const jobIndex = yield* JobIndex;
    const history = yield* History;
    const realtime = yield* RealtimeAdmin;
    const transcripts = yield* Collection.make(transcriptStates);
    const notifications = yield* Collection.make(notificationStates);
    /** Newest first. */
    const eventsOf = (userId) => Effect.map(history.read(Topic.user(userId), { limit: maxSearchedEvents }), ({ items }) => items.flatMap(toUserEvent).reverse());
    const notificationOf = (id) => Effect.map(notifications.get(id), (found) => {
        const state = Option.getOrUndefined(found)?.value;
        if (state === undefined)
            return [];
        const { content, deliveries, error, notification_id, notification_type, requested_at, status } = state;
        return [
            {
                notification_id,
                notification_type,
                status,
                title: content.title,
                requested_at: new Date(requested_at).toISOString(),
                ...(error === undefined ? {} : { error: error.message }),
                deliveries: deliveries.map(({ summary, target: { channel } }) => ({
                    channel,
                    status: summary?.status ?? "pending",
                    ...(summary === undefined ? {} : { provider: summary.provider }),
                    ...(summary?.reason === undefined ? {} : { reason: summary.reason }),
                })),
            },
        ];
    });
    const getMedia = Effect.fn("LibraryHandlers.getMedia")(function* (mediaId) {
        const media = yield* jobIndex.get("media", mediaId);
        const captions = yield* jobIndex.get("transcription", mediaId);
        const found = media ?? captions;
        if (found === undefined)
            return yield* notFound("media", mediaId);
        const transcript = Option.getOrUndefined(yield* transcripts.get(mediaId))?.value;
        const state = media?._tag === "Media" ? media.state : undefined;
        const poster = state?.ready?.poster_url ?? undefined;
        return {
            media_id: mediaId,
            user_id: found.job.user_id,
            jobs: [media, captions].flatMap((one) => (one === undefined ? [] : [one.job])),
            renditions: state?.renditions ?? [],
            ...(poster === undefined ? {} : { poster }),
            captions: Object.entries(transcript?.languages ?? {}).map(([language, { caption_urls, engine, quality, word_count }]) => ({
                language,
                ...caption_urls,
                engine,
                quality,
                word_count,
            })),
            deliveries: (yield* eventsOf(found.job.user_id)).filter(({ media_id }) => media_id === mediaId),
        };
    });
    const getUser = Effect.fn("LibraryHandlers.getUser")(function* (userId) {
        const { items, unresponsive } = yield* realtime.sockets({ userId, limit: maxSockets });
        const events = yield* eventsOf(userId);
        const ids = [...new Set(events.flatMap(({ notification_id: id }) => (id === undefined ? [] : [id])))];
        const jobs = yield* jobIndex.list({ query: userId, limit: maxJobs * 4 });
        return {
            user_id: userId,
            sockets: items.map(toOpenSocket),
            unresponsive,
            // The query also finds parts of other ids.
            jobs: jobs.filter(({ user_id }) => user_id === userId).slice(0, maxJobs),
            notifications: (yield* Effect.forEach(ids.slice(0, maxNotifications), notificationOf, { concurrency: 8 })).flat(),
            events: events.slice(0, maxEvents),
        };
    });
    return {
        GetMedia: ({ media_id }) => mapErrors(getMedia(media_id)),
        GetUser: ({ user_id }) => mapErrors(getUser(user_id)),
    };
});
const StoredEvent = Schema.fromJsonString(Schema.Struct({
    event: Schema.String,
    payload: Schema.Record(Schema.String, Schema.Json),
}));
const decodeStored = Schema.decodeUnknownResult(StoredEvent);
const textOf = (value) => (typeof value === "string" ? value : undefined);
const toUserEvent = ({ body, id, seq }) => {
    const decoded = decodeStored(new TextDecoder().decode(body));
    // An item of another version of Armoricore.
    if (Result.isFailure(decoded))
        return [];
    const { event, payload } = decoded.success;
    const media_id = textOf(payload["media_id"]);
    const notification_id = textOf(payload["notification_id"]);
    const trace_id = traceIdOf(textOf(payload["traceparent"]));
    return [
        {
            seq,
            event_id: id,
            event,
            payload,
            ...(media_id === undefined ? {} : { media_id }),
            ...(notification_id === undefined ? {} : { notification_id }),
            ...(trace_id === undefined ? {} : { trace_id }),
        },
    ];
};
