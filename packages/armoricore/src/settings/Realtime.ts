/** What the sockets take and give: who may open how many, say how much and how fast, and what is kept of it. */
import { defaults, type Rate } from "@armoricore/realtime/socket/Limits"
import { Duration, Result } from "effect"
import { choice, duration, int, optional, parseDuration, size, withDefault } from "./Setting.ts"

/** `100` or `100:1000`: so many a second, and so many at once; without the second number ten times the first. */
const rate = optional<Rate>((value) => {
  const match = /^\s*([0-9]+(?:\.[0-9]+)?)\s*(?::\s*([0-9]+)\s*)?$/.exec(value)
  const perSecond = Number(match?.[1])
  const burst = Number(match?.[2] ?? Math.ceil(perSecond * 10))
  return perSecond > 0 && burst >= 1 && perSecond <= 1e6 && burst <= 1e7
    ? Result.succeed({ perSecond, burst })
    : Result.fail("must be a rate such as 100 or 100:1000: so many a second, and so many at once")
})

const durationRange = (min: number, max: number) =>
  optional<Duration.Duration>((value) =>
    Result.flatMap(parseDuration(value), (found) =>
      Duration.toSeconds(found) >= min && Duration.toSeconds(found) <= max
        ? Result.succeed(found)
        : Result.fail(`must be a duration from ${min} s to ${max} s`),
    ),
  )

export const isRate = (value: unknown): value is Rate =>
  typeof value === "object" && value !== null && "perSecond" in value && "burst" in value

/** As it may be set. */
export const formatRate = ({ perSecond, burst }: Rate): string => `${perSecond}:${burst}`

export const realtime = {
  REALTIME_MAX_USER_SOCKETS: withDefault(
    int(1, 1_000_000)({ description: "connections of one user over all nodes; one more is refused with 429" }),
    defaults.maxSocketsPerUser,
    String(defaults.maxSocketsPerUser),
  ),
  REALTIME_MAX_ADDRESS_SOCKETS: withDefault(
    int(1, 1_000_000)({ description: "connections from one address (IPv6: one /64) to one node" }),
    defaults.maxSocketsPerAddress,
    String(defaults.maxSocketsPerAddress),
  ),
  REALTIME_MAX_SOCKET_TOPICS: withDefault(
    int(1, 10_000)({ description: "topics that a connection may have joined at once" }),
    defaults.maxTopics,
    String(defaults.maxTopics),
  ),
  REALTIME_USER_MESSAGE_RATE: withDefault(
    rate({ description: "messages of one user a second, and at once; more are answered with rate_limit" }),
    defaults.userMessages,
    formatRate(defaults.userMessages),
  ),
  REALTIME_USER_JOIN_RATE: withDefault(
    rate({ description: "joins of one user a second, and at once: who reconnects joins all topics anew" }),
    defaults.userJoins,
    formatRate(defaults.userJoins),
  ),
  REALTIME_ADDRESS_JOIN_RATE: withDefault(
    rate({ description: "joins from one address a second, and at once" }),
    defaults.addressJoins,
    formatRate(defaults.addressJoins),
  ),
  REALTIME_MAX_MESSAGE_LENGTH: withDefault(
    size(1024)({ description: "the largest message; a larger one is answered with too_large" }),
    defaults.maxMessageBytes,
    "64 KiB",
  ),
  REALTIME_MAX_FRAME_BYTES: withDefault(
    size(1024)({ description: "the largest frame; a larger one closes the connection (1009)" }),
    defaults.maxFrameBytes,
    "1 MiB",
  ),
  REALTIME_MAX_QUEUE_BYTES: withDefault(
    size(16_384)({ description: "what may wait for a slow reader before its connection is closed (4008)" }),
    defaults.maxQueuedBytes,
    "1 MiB",
  ),
  REALTIME_IDLE_TIMEOUT: withDefault(
    durationRange(
      1,
      86_400,
    )({ description: "a connection that is silent for so long is closed; clients beat every 30 s" }),
    defaults.idleTimeout,
    "60 s",
  ),
  // The official client gives a poll up after 20 s.
  REALTIME_LONGPOLL_TIMEOUT: withDefault(
    durationRange(1, 19)({ description: "a long poll without messages is answered after this" }),
    defaults.pollWindow,
    "10 s",
  ),
  REALTIME_DRAIN_TIMEOUT: withDefault(
    durationRange(0, 600)({ description: "over how long connections are closed at SIGTERM, a few at a time" }),
    defaults.drainDuration,
    "5 s",
  ),
  REALTIME_PRESENCE_LIST_LIMIT: withDefault(
    int(1, 100_000)({ description: "users of a room whose presence is listed; a larger room is told counts only" }),
    1000,
    "1000",
  ),
  COMMENT_MIN_INTERVAL: withDefault(
    duration({ description: "how often a user may comment, over all streams" }),
    Duration.seconds(1),
    "1s",
  ),
  HISTORY_MAX_AGE: withDefault(
    duration({ description: "how long chat, comments and a user's events are kept" }),
    Duration.days(7),
    "7d",
  ),
  HISTORY_MAX_ITEMS: withDefault(
    int(1, 100_000)({ description: "how many of them a room, a stream and a user keep" }),
    1000,
    "1000",
  ),
  MEDIA_TOPIC_POLICY: withDefault(
    choice("public", "owner")({ description: "public: any user may watch media:{id}; owner: its owner and operators" }),
    "public",
    "public",
  ),
}
