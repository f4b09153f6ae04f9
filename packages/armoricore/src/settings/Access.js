/** Settings of access to rooms: policies, the file of channels, and the hook that asks the backend. */
import * as ChannelsFile from "@armoricore/realtime/access/ChannelsFile";
import { Duration, Result } from "effect";
import { readFileSync } from "node:fs";
import { choice, duration, durationRange, httpProtocols, list, longSecret, minSigningSecret, text, url, withDefault, } from "./Setting.ts";
const defaultTopics = ["chat:room:*", "presence:room:*", "comments:stream:*", "room:*", "dm:*"];
export const access = {
    ROOM_POLICY: withDefault(choice("open", "members")({
        description: "who may join rooms. open: every valid token; members: members of the room, tokens whose channels claim names it, operators, and users that AUTHORIZE_URL allows",
    }), "open", "open"),
    CHANNELS_FILE: text({
        description: "path of a JSON file that declares topics room:{name}, and the policies of topics",
        defaultText: "no topics room:{name}",
        example: "/etc/armoricore/channels.json",
    }),
    AUTHORIZE_URL: url(...httpProtocols)({
        description: "URL of your backend that decides who may join a topic",
        defaultText: "off",
        example: "https://www.example.com/armoricore/authorize",
    }),
    AUTHORIZE_SECRET: longSecret(minSigningSecret)({ description: "secret that signs these questions", example: "…" }),
    AUTHORIZE_TOPICS: withDefault(list({ description: "topics whose joins ask AUTHORIZE_URL, separated by commas; * matches any text" }), defaultTopics, defaultTopics.join(",")),
    AUTHORIZE_PUSH: list({
        description: "events of clients that ask AUTHORIZE_URL too, separated by commas",
        defaultText: "none",
        example: "new_message,broadcast",
    }),
    AUTHORIZE_TIMEOUT: withDefault(durationRange(1, 9)({ description: "how long AUTHORIZE_URL may take to answer; clients wait 10 s for the reply to a join" }), Duration.seconds(5), "5 s"),
    AUTHORIZE_TTL: withDefault(duration({ description: "how long an answer to a join without ttl counts" }), Duration.seconds(10), "10 s"),
    AUTHORIZE_ON_FAILURE: withDefault(choice("refuse", "allow")({ description: "what happens to joins and events while AUTHORIZE_URL cannot be asked" }), "refuse", "refuse"),
};
/** The topics of a channels file. The error is one sentence without the name of the setting. */
export const readChannelsFile = (path) => Result.flatMap(Result.mapError(Result.try(() => readFileSync(path, "utf8")), () => `names ${path}, which cannot be read`), (content) => Result.mapError(ChannelsFile.decode(content), (fault) => `names ${path}, which has a fault: ${fault}`));
/** Faults of the settings of access together. Each begins with the setting to change. */
export const accessErrors = (values) => {
    const { AUTHORIZE_PUSH, AUTHORIZE_URL, CHANNELS_FILE } = values;
    const errors = [];
    if (AUTHORIZE_PUSH !== undefined && AUTHORIZE_URL === undefined) {
        errors.push("AUTHORIZE_URL is missing: AUTHORIZE_PUSH has no effect without it; set it, or unset AUTHORIZE_PUSH");
    }
    if (CHANNELS_FILE === undefined)
        return errors;
    const topics = readChannelsFile(CHANNELS_FILE);
    if (Result.isFailure(topics))
        return [...errors, `CHANNELS_FILE ${topics.failure}`];
    const asking = ChannelsFile.needsHook(topics.success);
    if (asking !== undefined && AUTHORIZE_URL === undefined) {
        errors.push(`AUTHORIZE_URL is missing: the topic ${asking.topic} of CHANNELS_FILE has the policy authorize; set it, or choose another policy`);
    }
    return errors;
};
