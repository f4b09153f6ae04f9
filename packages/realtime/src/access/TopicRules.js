/**
 * Which rule decides about the joins of a topic: the first rule of `CHANNELS_FILE` whose pattern matches, otherwise
 * `ROOM_POLICY` for the topics of rooms, otherwise `open`. An open topic that `AUTHORIZE_TOPICS` includes asks
 * `AUTHORIZE_URL`.
 */
import { matchesTopic } from "@armoricore/auth/Identity";
/** Topics of one room: what they have in common is the room id after the prefix. */
const roomPrefixes = ["chat:room:", "presence:room:", "room:"];
const prefixesWithId = [...roomPrefixes, "comments:stream:"];
/** The topics whose members are the members of this room. */
export const topicsOfRoom = (roomId) => prefixesWithId.map((prefix) => prefix + roomId);
/** The room whose members may join the topic; `undefined` for a topic that has none. */
export const roomIdOf = (topic) => {
    const prefix = prefixesWithId.find((candidate) => topic.startsWith(candidate));
    return prefix === undefined ? undefined : topic.slice(prefix.length);
};
export const policyOf = ({ authorizeTopics = [], roomPolicy = "open", rules = [] }) => (topic) => {
    const declared = rules.find((rule) => matchesTopic(rule.topic, topic))?.policy;
    if (declared !== undefined)
        return declared;
    if (roomPolicy === "members" && roomPrefixes.some((prefix) => topic.startsWith(prefix)))
        return "members";
    return authorizeTopics.some((pattern) => matchesTopic(pattern, topic)) ? "authorize" : "open";
};
