import { defaults } from "@armoricore/realtime/socket/Limits";
import { UsageLimits, ClientUsage } from "@armoricore/realtime/socket/UsageLimits";
import { assert, describe, it } from "@effect/vitest";
import { Effect } from "effect";
describe("ClientUsage", () => {
    it.effect("allows the burst at once, then the rate, and returns the time until the next message", () => Effect.sync(() => {
        const usage = new ClientUsage("u");
        const rate = { perSecond: 10, burst: 3 };
        const waits = [1, 2, 3, 4].map(() => usage.consumeMessages(rate, 1000));
        assert.deepStrictEqual(waits, [0, 0, 0, 100]);
        assert.strictEqual(usage.consumeMessages(rate, 1099), 1);
        assert.strictEqual(usage.consumeMessages(rate, 1100), 0);
        assert.strictEqual(usage.consumeJoin(rate, 1100), 0);
        assert.deepStrictEqual([1, 2, 3, 4].map(() => usage.consumeMessages(rate, 9000)), [0, 0, 0, 100]);
    }));
});
describe("UsageLimits", () => {
    const makeLimits = () => new UsageLimits({ ...defaults, maxSocketsPerUser: 2, maxSocketsPerAddress: 3 });
    it.effect("limits the sockets of users and addresses, and a released lease frees its place", () => Effect.sync(() => {
        const limits = makeLimits();
        const first = limits.acquire("a", "1");
        limits.acquire("a", "1");
        assert.strictEqual(limits.acquire("a", "2"), "user");
        limits.acquire("b", "1");
        assert.strictEqual(limits.acquire("c", "1"), "address");
        if (typeof first !== "string")
            limits.release(first);
        assert.notStrictEqual(limits.acquire("a", "2"), "user");
    }));
    it.effect("forgets clients without sockets once their allowances are full", () => Effect.sync(() => {
        const limits = makeLimits();
        const lease = limits.acquire("a", "1");
        if (typeof lease === "string")
            return assert.fail(lease);
        lease.user.consumeMessages({ perSecond: 1, burst: 10 }, 1000);
        limits.release(lease);
        limits.sweep(1500);
        assert.strictEqual(limits.size, 1);
        limits.sweep(2000);
        assert.strictEqual(limits.size, 0);
    }));
});
