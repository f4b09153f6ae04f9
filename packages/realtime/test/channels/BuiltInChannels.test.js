import { buckets, declarations } from "@armoricore/realtime/channels/BuiltInChannels";
import { mediaStates } from "@armoricore/state/MediaStates";
import { userInboxes } from "@armoricore/state/UserInbox";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
import { start } from "../support/TestServer.ts";
describe("the built-in channels", () => {
    it.live("are all registered, and each topic matches its own channel", () => Effect.gen(function* () {
        const { channels } = yield* start({ channels: [{ topic: "room:x" }] });
        assert.includeMembers([...channels.patterns()], declarations.map(([, { topic }]) => topic));
        for (const [, { topic }] of declarations) {
            const example = topic.startsWith("dm:") ? "dm:a:b" : topic.replace(/\{.*\}/, "x");
            assert.strictEqual(channels.find(example)?.channel.pattern, topic);
        }
    }));
    it("declare the buckets that they use", () => {
        assert.deepStrictEqual([buckets.reads, buckets.writes].map((used) => used.map(({ name }) => name)), [[mediaStates.bucket.name], ["realtime_user_reads", "realtime_room_reads", userInboxes.bucket.name]]);
    });
});
