/** The realtime service as the settings want it. */
import * as Realtime from "@armoricore/realtime/Realtime"
import { Duration, Effect, Layer } from "effect"
import { Settings } from "./Settings.ts"
import { WorkerLink } from "./workers/WorkerLink.ts"

/** `isShared`: other processes have sockets too. */
export const optionsOf = (settings: Settings["Service"], isShared: boolean): Realtime.RealtimeOptions => {
  const { ALLOWED_ORIGINS: origins, COMMENT_INTERVAL, TRUSTED_PROXIES: trustedProxies } = settings
  return {
    ...(trustedProxies === undefined ? {} : { trustedProxies }),
    allowedOrigins: origins === undefined ? "same" : origins.includes("*") ? "any" : origins,
    mediaTopicPolicy: settings.MEDIA_TOPIC_POLICY,
    ...(isShared ? { cluster: {} } : {}),
    commentRate: { perSecond: 1000 / Math.max(1, Duration.toMillis(COMMENT_INTERVAL)), burst: 1 },
    presence: { maxListed: settings.REALTIME_LISTED_USERS },
    limits: {
      maxSocketsPerUser: settings.REALTIME_USER_SOCKETS,
      maxSocketsPerAddress: settings.REALTIME_ADDRESS_SOCKETS,
      maxTopics: settings.REALTIME_SOCKET_TOPICS,
      userMessages: settings.REALTIME_USER_MESSAGES,
      userJoins: settings.REALTIME_USER_JOINS,
      addressJoins: settings.REALTIME_ADDRESS_JOINS,
      maxMessageBytes: settings.REALTIME_MAX_MESSAGE,
      maxFrameBytes: settings.REALTIME_MAX_FRAME,
      maxQueuedBytes: settings.REALTIME_MAX_QUEUE,
      idleTimeout: settings.REALTIME_IDLE_TIMEOUT,
      pollWindow: settings.REALTIME_POLL_WINDOW,
      drainOver: settings.REALTIME_DRAIN_TIME,
    },
  }
}

export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Settings
    // Whoever shares a bus may have been started twice; the embedded one is shared with workers alone.
    const isShared = settings.MESSAGE_BUS_URL !== undefined || (yield* WorkerLink) !== undefined
    return Realtime.layer(optionsOf(settings, isShared))
  }),
)
