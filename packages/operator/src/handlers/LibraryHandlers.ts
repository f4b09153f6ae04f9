/** A media with its captions and deliveries; a user with sockets, notifications and media. */
import type { PortError } from "@armoricore/domain/Errors"
import { History, type HistoryItem } from "@armoricore/history/History"
import { RealtimeAdmin } from "@armoricore/realtime/admin/RealtimeAdmin"
import * as Topic from "@armoricore/realtime/channel/Topic"
import * as Collection from "@armoricore/state/Collection"
import { transcriptStates } from "@armoricore/state/TranscriptStates"
import { UserDevices } from "@armoricore/state/UserDevices"
import { UserInbox } from "@armoricore/state/UserInbox"
import { UserPreferences } from "@armoricore/state/UserPreferences"
import { traceIdOf } from "@armoricore/worker/TraceContext"
import { Effect, Option, Result, Schema } from "effect"
import type { Job } from "../api/Job.ts"
import type { UserEvent } from "../api/Library.ts"
import type { WorkflowRunInfo } from "../api/Notification.ts"
import { JobIndex } from "../JobIndex.ts"
import * as NotificationReader from "../NotificationReader.ts"
import { mapErrors, notFound } from "./Errors.ts"
import { toOpenSocket } from "./SocketHandlers.ts"

const maxSearchedEvents = 200
const [maxJobs, maxEvents, maxNotifications, maxSockets, maxItems] = [50, 50, 20, 100, 20]

/** `runsOf`: the newest workflow runs of a user. */
export const make = Effect.fnUntraced(function* (
  runsOf: (userId: string) => Effect.Effect<ReadonlyArray<WorkflowRunInfo>, PortError>,
) {
  const jobIndex = yield* JobIndex
  const history = yield* History
  const realtime = yield* RealtimeAdmin
  const transcripts = yield* Collection.make(transcriptStates)
  const notifications = yield* NotificationReader.make
  const devices = yield* UserDevices
  const preferences = yield* UserPreferences
  const inbox = yield* UserInbox

  /** Newest first. */
  const eventsOf = (userId: string) =>
    Effect.map(history.read(Topic.user(userId), { limit: maxSearchedEvents }), ({ items }) =>
      items.flatMap(toUserEvent).reverse(),
    )

  /** Devices, preferences and inbox. */
  const reachOf = Effect.fnUntraced(function* (userId: string) {
    const { items, unread } = yield* inbox.list(userId, { limit: maxItems })
    return {
      devices: (yield* devices.list(userId)).map(({ app, device_id, locale, platform, registered_at, time_zone }) => ({
        device_id,
        platform,
        registered_at,
        ...(app === undefined ? {} : { app }),
        ...(locale === undefined ? {} : { locale }),
        ...(time_zone === undefined ? {} : { time_zone }),
      })),
      preferences: yield* preferences.get(userId),
      inbox: {
        unread,
        items: items.toReversed().map(({ archived_at, created_at, id, read_at, title }) => ({
          id,
          title,
          created_at,
          ...(read_at === undefined ? {} : { read_at }),
          ...(archived_at === undefined ? {} : { archived_at }),
        })),
      },
    }
  })

  const getMedia = Effect.fn("LibraryHandlers.getMedia")(function* (mediaId: string) {
    const media = yield* jobIndex.get("media", mediaId)
    const captions = yield* jobIndex.get("transcription", mediaId)
    const found = media ?? captions
    if (found === undefined) return yield* notFound("media", mediaId)
    const transcript = Option.getOrUndefined(yield* transcripts.get(mediaId))?.value
    const state = media?._tag === "Media" ? media.state : undefined
    const poster = state?.ready?.poster_url ?? undefined
    return {
      media_id: mediaId,
      user_id: found.job.user_id,
      jobs: [media, captions].flatMap((one): ReadonlyArray<Job> => (one === undefined ? [] : [one.job])),
      renditions: state?.renditions ?? [],
      ...(poster === undefined ? {} : { poster }),
      captions: Object.entries(transcript?.languages ?? {}).map(
        ([language, { caption_urls, engine, quality, word_count }]) => ({
          language,
          ...caption_urls,
          engine,
          quality,
          word_count,
        }),
      ),
      deliveries: (yield* eventsOf(found.job.user_id)).filter(({ media_id }) => media_id === mediaId),
    }
  })

  const getUser = Effect.fn("LibraryHandlers.getUser")(function* (userId: string) {
    const { items, unresponsive } = yield* realtime.sockets({ userId, limit: maxSockets })
    const events = yield* eventsOf(userId)
    const ids = [...new Set(events.flatMap(({ notification_id: id }) => (id === undefined ? [] : [id])))]
    const jobs = yield* jobIndex.list({ query: userId, limit: maxJobs * 4 })
    return {
      user_id: userId,
      sockets: items.map(toOpenSocket),
      unresponsive,
      // The query also finds parts of other ids.
      jobs: jobs.filter(({ user_id }) => user_id === userId).slice(0, maxJobs),
      notifications: (yield* Effect.forEach(ids.slice(0, maxNotifications), notifications.get, {
        concurrency: 8,
      })).flatMap((one) => (one === undefined ? [] : [one])),
      reach: yield* reachOf(userId),
      runs: yield* runsOf(userId),
      events: events.slice(0, maxEvents),
    }
  })

  return {
    GetMedia: ({ media_id }: { media_id: string }) => mapErrors(getMedia(media_id)),
    GetUser: ({ user_id }: { user_id: string }) => mapErrors(getUser(user_id)),
  }
})

const StoredEvent = Schema.fromJsonString(
  Schema.Struct({
    event: Schema.String,
    payload: Schema.Record(Schema.String, Schema.Json),
  }),
)
const decodeStored = Schema.decodeUnknownResult(StoredEvent)

const textOf = (value: Schema.Json | undefined): string | undefined => (typeof value === "string" ? value : undefined)

const toUserEvent = ({ body, id, seq }: HistoryItem): ReadonlyArray<UserEvent> => {
  const decoded = decodeStored(new TextDecoder().decode(body))
  // An item of another version of Armoricore.
  if (Result.isFailure(decoded)) return []
  const { event, payload } = decoded.success
  const media_id = textOf(payload["media_id"])
  const notification_id = textOf(payload["notification_id"])
  const trace_id = traceIdOf(textOf(payload["traceparent"]))
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
  ]
}
