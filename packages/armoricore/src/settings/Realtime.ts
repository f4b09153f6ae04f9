/** Settings of realtime: limits of connections, rates and frame sizes, timeouts, and retention of history. */
import { defaults, type Rate } from "@armoricore/realtime/socket/Limits"
import { Duration, Result } from "effect"
import { choice, duration, durationRange, int, optional, size, withDefault } from "./Setting.ts"

/** `100:1000` is a rate per second and a burst. With `100` the burst is ten times the rate. */
const rate = optional<Rate>((value) => {
  const match = /^\s*([0-9]+(?:\.[0-9]+)?)\s*(?::\s*([0-9]+)\s*)?$/.exec(value)
  const perSecond = Number(match?.[1])
  const burst = Number(match?.[2] ?? Math.ceil(perSecond * 10))
  return perSecond > 0 && burst >= 1 && perSecond <= 1e6 && burst <= 1e7
    ? Result.succeed({ perSecond, burst })
    : Result.fail("must be a rate such as 100 (per second) or 100:1000 (per second and burst)")
})

export const isRate = (value: unknown): value is Rate =>
  typeof value === "object" && value !== null && "perSecond" in value && "burst" in value

/** In the form that the setting accepts. */
export const formatRate = ({ perSecond, burst }: Rate): string => `${perSecond}:${burst}`

export const realtime = {
  REALTIME_MAX_USER_SOCKETS: withDefault(
    int(
      1,
      1_000_000,
    )({ description: "maximum connections per user over all nodes; further ones are rejected with 429" }),
    defaults.maxSocketsPerUser,
    String(defaults.maxSocketsPerUser),
  ),
  REALTIME_MAX_ADDRESS_SOCKETS: withDefault(
    int(1, 1_000_000)({ description: "maximum connections per address (IPv6: per /64) and node" }),
    defaults.maxSocketsPerAddress,
    String(defaults.maxSocketsPerAddress),
  ),
  REALTIME_MAX_SOCKET_TOPICS: withDefault(
    int(1, 10_000)({ description: "maximum topics that one connection may join" }),
    defaults.maxTopics,
    String(defaults.maxTopics),
  ),
  REALTIME_USER_MESSAGE_RATE: withDefault(
    rate({ description: "message rate and burst per user; further messages get an error reply rate_limit" }),
    defaults.userMessages,
    formatRate(defaults.userMessages),
  ),
  REALTIME_USER_JOIN_RATE: withDefault(
    rate({ description: "join rate and burst per user; a reconnect joins every topic again" }),
    defaults.userJoins,
    formatRate(defaults.userJoins),
  ),
  REALTIME_ADDRESS_JOIN_RATE: withDefault(
    rate({ description: "join rate and burst per address" }),
    defaults.addressJoins,
    formatRate(defaults.addressJoins),
  ),
  REALTIME_MAX_MESSAGE_BYTES: withDefault(
    size(1024)({ description: "maximum size of a message; a larger one gets an error reply too_large" }),
    defaults.maxMessageBytes,
    "64 KiB",
  ),
  REALTIME_MAX_FRAME_BYTES: withDefault(
    size(1024)({ description: "maximum size of a WebSocket frame; a larger one closes the connection (1009)" }),
    defaults.maxFrameBytes,
    "1 MiB",
  ),
  REALTIME_MAX_QUEUE_BYTES: withDefault(
    size(16_384)({
      description:
        "maximum size of the outgoing queue of a slow client; beyond it the client misses droppable messages and joins topics with a history again; a client that stopped reading is closed (4008)",
    }),
    defaults.maxQueuedBytes,
    "1 MiB",
  ),
  REALTIME_IDLE_TIMEOUT: withDefault(
    durationRange(
      1,
      86_400,
    )({
      description:
        "a connection is closed after this time without a frame from the client; clients send heartbeats every 30 s, and one may be lost",
    }),
    defaults.idleTimeout,
    "75 s",
  ),
  // Below 20 s, because the official client gives up a poll after that time.
  REALTIME_LONGPOLL_TIMEOUT: withDefault(
    durationRange(1, 19)({ description: "a long poll without messages returns after this time" }),
    defaults.pollWindow,
    "10 s",
  ),
  REALTIME_DRAIN_TIMEOUT: withDefault(
    durationRange(0, 600)({ description: "time over which connections are closed after SIGTERM, a few at a time" }),
    defaults.drainDuration,
    "5 s",
  ),
  REALTIME_PRESENCE_LIST_LIMIT: withDefault(
    int(1, 100_000)({ description: "above this number of users in a room, presence carries counts only" }),
    1000,
    "1000",
  ),
  COMMENT_MIN_INTERVAL: withDefault(
    duration({ description: "minimum time between two comments of a user, over all streams" }),
    Duration.seconds(1),
    "1s",
  ),
  MESSAGE_EDIT_WINDOW: withDefault(
    duration({
      description: "time in which the author may edit a chat message; moderators may at any time; 0s: never",
    }),
    Duration.days(1),
    "1d",
  ),
  REALTIME_READ_LIST_LIMIT: withDefault(
    int(
      0,
      10_000,
    )({
      description:
        "above this number of readers in a room, clients cannot see who has read what, nor get unread events",
    }),
    100,
    "100",
  ),
  HISTORY_MAX_AGE: withDefault(
    duration({ description: "retention of chat messages, comments and user events" }),
    Duration.days(7),
    "7d",
  ),
  HISTORY_MAX_ITEMS: withDefault(
    int(1, 10_000_000)({ description: "maximum stored entries per room, stream and user" }),
    1000,
    "1000",
  ),
  NATS_HISTORY_MAX_BYTES: withDefault(
    size(1e6)({
      description: "maximum size of the history on NATS, of all rooms together; the oldest entries are deleted first",
    }),
    1024 ** 3,
    "1 GiB",
  ),
  MEDIA_TOPIC_POLICY: withDefault(
    choice(
      "public",
      "owner",
    )({ description: "public: any user may watch media:{id}; owner: only its owner and operators" }),
    "public",
    "public",
  ),
}
