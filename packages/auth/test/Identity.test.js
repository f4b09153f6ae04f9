import { allowsTopic } from "@armoricore/auth/Identity";
import { assert, it } from "@effect/vitest";
const limitedTo = (...channels) => ({ userId: "u", roles: [], channels, expiresAt: 0 });
it("a token without channels allows every topic, one with an empty list allows none", () => {
    assert.isTrue(allowsTopic({ userId: "u", roles: [], expiresAt: 0 }, "chat:room:1"));
    assert.isFalse(allowsTopic(limitedTo(), "chat:room:1"));
});
it("a star matches any text, at the end or in the middle", () => {
    assert.isTrue(allowsTopic(limitedTo("chat:room:*"), "chat:room:1"));
    assert.isFalse(allowsTopic(limitedTo("chat:room:*"), "chat:other:1"));
    assert.isTrue(allowsTopic(limitedTo("*:room:7"), "chat:room:7"));
    assert.isTrue(allowsTopic(limitedTo("chat:*:a*z"), "chat:room:abz"));
    assert.isFalse(allowsTopic(limitedTo("chat:*:a*z"), "chat:room:ab"));
    assert.isFalse(allowsTopic(limitedTo("ab*ba"), "aba"));
    assert.isTrue(allowsTopic(limitedTo("x", "media:1"), "media:1"));
    assert.isFalse(allowsTopic(limitedTo("media:1"), "media:12"));
});
