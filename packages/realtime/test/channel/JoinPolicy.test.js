import { allow, all, withinTokenChannels, JoinPolicy, ownUserTopic, defaultPolicy, } from "@armoricore/realtime/channel/JoinPolicy";
import { unauthorized } from "@armoricore/realtime/channel/ChannelError";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Exit, Layer } from "effect";
import { connect, start } from "../support/TestServer.ts";
const identity = (userId, more = {}) => ({
    userId,
    roles: [],
    expiresAt: Number.MAX_SAFE_INTEGER,
    ...more,
});
describe("JoinPolicy", () => {
    it.effect("allows joins by claim and ownership, also for guests", () => Effect.gen(function* () {
        const isAllowed = (policy, identity, topic) => Effect.map(Effect.exit(policy({ identity, topic, params: {} })), Exit.isSuccess);
        const limited = identity("u1", { channels: ["chat:room:a*"] });
        assert.isTrue(yield* isAllowed(withinTokenChannels, limited, "chat:room:abc"));
        assert.isFalse(yield* isAllowed(withinTokenChannels, limited, "chat:room:b"));
        assert.isTrue(yield* isAllowed(ownUserTopic, identity("u1"), "user:u1"));
        assert.isFalse(yield* isAllowed(ownUserTopic, identity("u1", { roles: ["operator"] }), "user:u2"));
        assert.isTrue(yield* isAllowed(defaultPolicy, identity("g", { roles: ["guest"] }), "chat:room:a"));
        assert.isFalse(yield* isAllowed(defaultPolicy, limited, "user:u1"));
        assert.isFalse(yield* isAllowed(all(defaultPolicy, () => Effect.fail(unauthorized("no"))), identity("u"), "chat:room:a"));
    }));
    it.live("a custom policy applies to every channel", () => Effect.gen(function* () {
        const banned = ({ identity: { userId } }) => userId === "troll" ? Effect.fail(unauthorized("banned")) : allow;
        const server = yield* start().pipe(Effect.provide(Layer.succeed(JoinPolicy, all(defaultPolicy, banned))));
        const join = Effect.fnUntraced(function* (user, topic) {
            const client = yield* connect(server, { user });
            client.send("1", "1", topic, "phx_join", {});
            const [, , , , { status, response }] = yield* client.next;
            return [status, Object(response).message];
        });
        for (const topic of ["chat:room:a", "comments:stream:a", "presence:room:a", "media:a", "user:troll"]) {
            assert.deepStrictEqual(yield* join("troll", topic), ["error", "banned"]);
        }
        assert.strictEqual((yield* join("ann", "chat:room:a"))[0], "ok");
    }));
});
