import { serializer as v2 } from "@armoricore/realtime/protocol/SerializerV2";
import { serializer as v1 } from "@armoricore/realtime/protocol/SerializerV1";
import { Topics } from "@armoricore/realtime/pubsub/Topics";
import { assert, layer } from "@effect/vitest";
import { Effect } from "effect";
const listener = (serializer) => {
    const frames = [];
    return { frames, receive: (broadcast) => void frames.push(broadcast.frame(serializer)) };
};
layer(Topics.layer)("Topics", (it) => {
    it.effect("encodes once per serializer, reaches only its topic, and honours `except`", () => Effect.gen(function* () {
        const topics = yield* Topics;
        const [a, b, old, other] = [listener(v2), listener(v2), listener(v1), listener(v2)];
        for (const each of [a, b, old])
            topics.subscribe("t", each);
        topics.subscribe("u", other);
        yield* topics.broadcast("t", "e", { n: 1 });
        assert.strictEqual(a.frames[0], b.frames[0]);
        assert.strictEqual(a.frames[0]?.body, '[null,null,"t","e",{"n":1}]');
        assert.strictEqual(old.frames[0]?.body, '{"topic":"t","event":"e","payload":{"n":1},"ref":null}');
        assert.strictEqual(other.frames.length, 0);
        topics.deliver("t", "e", {}, { except: a });
        assert.deepStrictEqual([a.frames.length, b.frames.length], [1, 2]);
        for (const each of [a, b, old])
            topics.unsubscribe("t", each);
        assert.strictEqual(topics.subscriberCount("t"), 0);
        yield* topics.broadcast("t", "e", {});
        assert.strictEqual(b.frames.length, 2);
    }));
});
