/**
 * Which rule decides about the joins of a topic: the first rule of `CHANNELS_FILE` whose pattern matches, otherwise
 * `ROOM_POLICY` for the topics of rooms, otherwise `open`. An open topic that `AUTHORIZE_TOPICS` includes asks
 * `AUTHORIZE_URL`.
 */
import { matchesTopic } from "@armoricore/auth/Identity"

/**
 * `open`: every valid token. `members`: the members of the room, tokens whose `channels` claim includes the topic, operators,
 * and users that `AUTHORIZE_URL` allows. `authorize`: users that `AUTHORIZE_URL` allows.
 */
export type TopicPolicy = "open" | "members" | "authorize"

export interface TopicRule {
  /** A topic, in which `*` matches any text. */
  readonly topic: string
  /** Absent: as without the rule. */
  readonly policy?: TopicPolicy | undefined
}

export interface TopicRulesOptions {
  readonly rules?: ReadonlyArray<TopicRule>
  /** Default `open`. */
  readonly roomPolicy?: "open" | "members"
  /** Patterns of the open topics whose joins ask the hook; without a hook: none. */
  readonly authorizeTopics?: ReadonlyArray<string>
}

/** Topics of one room: what they have in common is the room id after the prefix. */
const roomPrefixes = ["chat:room:", "presence:room:", "room:"]
const prefixesWithId = [...roomPrefixes, "comments:stream:"]

/** The topics whose members are the members of this room. */
export const topicsOfRoom = (roomId: string): ReadonlyArray<string> => prefixesWithId.map((prefix) => prefix + roomId)

/** The room whose members may join the topic; `undefined` for a topic that has none. */
export const roomIdOf = (topic: string): string | undefined => {
  const prefix = prefixesWithId.find((candidate) => topic.startsWith(candidate))
  return prefix === undefined ? undefined : topic.slice(prefix.length)
}

export const policyOf =
  ({ authorizeTopics = [], roomPolicy = "open", rules = [] }: TopicRulesOptions) =>
  (topic: string): TopicPolicy => {
    const declared = rules.find((rule) => matchesTopic(rule.topic, topic))?.policy
    if (declared !== undefined) return declared
    if (roomPolicy === "members" && roomPrefixes.some((prefix) => topic.startsWith(prefix))) return "members"
    return authorizeTopics.some((pattern) => matchesTopic(pattern, topic)) ? "authorize" : "open"
  }
