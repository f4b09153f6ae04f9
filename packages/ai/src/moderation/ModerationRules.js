/**
 * Moderation by local rules: words, links, floods. The default word list is empty, because it depends on the community.
 *
 * The cost is linear in the length of a message, and at most {@link maxLength} characters are read, so no message delays
 * others. Each process counts floods on its own: several workers see only a part of the messages, so the limits are looser.
 */
import { Clock, Duration, Effect } from "effect";
import * as Floods from "./Floods.ts";
import { isWithin, linkedHosts, toHost } from "./Links.ts";
import * as WordMatcher from "./WordMatcher.ts";
/** UTF-16 units; channels accept 4,000 characters. */
const maxLength = 8_000;
export const make = (options = {}) => {
    const blocked = WordMatcher.make(options.blockedWords ?? []);
    const reviewed = WordMatcher.make(options.reviewWords ?? []);
    const allowedHosts = (options.allowedDomains ?? []).map(toHost);
    const removesFloods = options.floodAction === "remove";
    const floods = Floods.make({
        window: Duration.toMillis(options.floodWindow ?? Duration.seconds(5)),
        floodThreshold: options.floodThreshold ?? 10,
        repeatThreshold: options.repeatThreshold ?? 4,
    });
    const hasLink = (content) => linkedHosts(content).some((host) => !allowedHosts.some((allowed) => isWithin(host, allowed)));
    return {
        check: (message) => Effect.map(Clock.currentTimeMillis, (clock) => {
            const content = message.content.slice(0, maxLength);
            const text = WordMatcher.foldText(content);
            const detected = floods.detect(message, (text.tokenizations[0] ?? []).join(" "), clock);
            // A removal is due for every message of a flood; a review is one for all of them.
            const floodReasons = detected.filter(({ isDue }) => isDue || removesFloods).map(({ reason }) => reason);
            const isLinked = options.linkAction !== undefined && options.linkAction !== "allow" && hasLink(content);
            const removeReasons = [
                ...(blocked.matches(text) ? ["word"] : []),
                ...(isLinked && options.linkAction === "remove" ? ["link"] : []),
                ...(removesFloods ? floodReasons : []),
            ];
            const reviewReasons = [
                ...(removesFloods ? [] : floodReasons),
                ...(reviewed.matches(text) ? ["word"] : []),
                ...(isLinked && options.linkAction === "review" ? ["link"] : []),
            ];
            const reasons = [...new Set([...removeReasons, ...reviewReasons])];
            if (reasons.length === 0)
                return undefined;
            const due = detected.find(({ isDue }) => isDue);
            const isOnlyFlood = due !== undefined && reasons.every((reason) => reason === due.reason);
            return {
                action: removeReasons.length > 0 ? "remove" : "review",
                reasons,
                ...(isOnlyFlood && !removesFloods ? { flood: due.flood } : {}),
            };
        }),
        // With `remove` each message of a flood has a flag of its own.
        takeFinishedFloods: (everything) => removesFloods
            ? Effect.succeed([])
            : Effect.map(Clock.currentTimeMillis, (clock) => floods.takeFinished(clock, everything).map(({ flood, message, reason }) => ({
                message,
                verdict: { action: "review", reasons: [reason], flood },
            }))),
    };
};
