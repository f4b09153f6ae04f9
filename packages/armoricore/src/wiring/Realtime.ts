/** Builds the realtime service from the settings. */
import * as Realtime from "@armoricore/realtime/Realtime"
import { InboxRetention } from "@armoricore/state/UserInbox"
import { UploadTokens } from "@armoricore/worker/PublishPolicy"
import { Duration, Effect, Layer, Result } from "effect"
import { readChannelsFile } from "../settings/Access.ts"
import { Settings } from "../settings/Settings.ts"
import { ClusterWorker } from "../workers/ClusterWorker.ts"
import * as Adapters from "./Adapters.ts"

/** `isClustered`: other processes may have sockets too. */
export const realtimeOptions = (settings: Settings["Service"], isClustered: boolean): Realtime.RealtimeOptions => {
  const { ALLOWED_ORIGINS: origins, COMMENT_MIN_INTERVAL, TRUSTED_PROXIES: trustedProxies } = settings
  return {
    ...(trustedProxies === undefined ? {} : { trustedProxies }),
    allowedOrigins: origins === undefined ? "same" : origins.includes("*") ? "any" : origins,
    mediaTopicPolicy: settings.MEDIA_TOPIC_POLICY,
    ...accessOptions(settings),
    ...(isClustered ? { cluster: {} } : {}),
    commentRate: { perSecond: 1000 / Math.max(1, Duration.toMillis(COMMENT_MIN_INTERVAL)), burst: 1 },
    editWindow: settings.MESSAGE_EDIT_WINDOW,
    readState: { maxListed: settings.REALTIME_READ_LIST_LIMIT },
    presence: { maxListed: settings.REALTIME_PRESENCE_LIST_LIMIT },
    limits: {
      maxSocketsPerUser: settings.REALTIME_MAX_USER_SOCKETS,
      maxSocketsPerAddress: settings.REALTIME_MAX_ADDRESS_SOCKETS,
      maxTopics: settings.REALTIME_MAX_SOCKET_TOPICS,
      userMessages: settings.REALTIME_USER_MESSAGE_RATE,
      userJoins: settings.REALTIME_USER_JOIN_RATE,
      addressJoins: settings.REALTIME_ADDRESS_JOIN_RATE,
      maxMessageBytes: settings.REALTIME_MAX_MESSAGE_BYTES,
      maxFrameBytes: settings.REALTIME_MAX_FRAME_BYTES,
      maxQueuedBytes: settings.REALTIME_MAX_QUEUE_BYTES,
      idleTimeout: settings.REALTIME_IDLE_TIMEOUT,
      pollWindow: settings.REALTIME_LONGPOLL_TIMEOUT,
      drainDuration: settings.REALTIME_DRAIN_TIMEOUT,
    },
  }
}

const accessOptions = (
  settings: Settings["Service"],
): Pick<Realtime.RealtimeOptions, "access" | "authorize" | "channels"> => {
  const { AUTHORIZE_PUSH, AUTHORIZE_SECRET: secret, AUTHORIZE_URL: url, CHANNELS_FILE, ROOM_POLICY } = settings
  const hasHook = url !== undefined && secret !== undefined
  return {
    access: {
      roomPolicy: ROOM_POLICY,
      ...(hasHook ? { authorizeTopics: settings.AUTHORIZE_TOPICS, authorizeEvents: AUTHORIZE_PUSH ?? [] } : {}),
    },
    ...(hasHook
      ? {
          authorize: {
            url,
            secret,
            timeout: settings.AUTHORIZE_TIMEOUT,
            defaultTtl: settings.AUTHORIZE_TTL,
            allowOnFailure: settings.AUTHORIZE_ON_FAILURE === "allow",
          },
        }
      : {}),
    // The settings were checked: the file has no fault.
    ...(CHANNELS_FILE === undefined ? {} : { channels: Result.getOrElse(readChannelsFile(CHANNELS_FILE), () => []) }),
  }
}

export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Settings
    const { primary } = yield* ClusterWorker
    // Any process may connect to an external bus. The embedded bus is shared only with the workers of one program.
    const isClustered = settings.MESSAGE_BUS_URL !== undefined || primary !== undefined
    return Realtime.layer(realtimeOptions(settings, isClustered)).pipe(
      Layer.provide([
        Layer.succeed(InboxRetention, { maxAge: settings.INBOX_MAX_AGE, maxItems: settings.INBOX_MAX_ITEMS }),
        Layer.effect(UploadTokens, Adapters.uploadTokens),
      ]),
    )
  }),
)
