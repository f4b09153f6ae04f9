import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { maxDevices, tokenHashOf, UserDevices } from "@armoricore/state/UserDevices";
import { assert, describe, it } from "@effect/vitest";
import { Clock, Effect, Layer, Option } from "effect";
import { TestClock } from "effect/testing";
const layer = Layer.provide(UserDevices.layer, MemoryState.layer);
const register = (userId, device_id, token = `token-${device_id}`) => Effect.flatMap(UserDevices, (devices) => devices.register(userId, { device_id, platform: "android", token }));
const idsOf = (userId) => Effect.flatMap(UserDevices, (devices) => Effect.map(devices.list(userId), (list) => list.map(({ device_id }) => device_id)));
const tokenHash = tokenHashOf({ platform: "android", token: "token-phone" });
describe("the registry of devices", () => {
    it.effect("replaces a device, and moves a token to the user who registered it last", () => Effect.gen(function* () {
        const devices = yield* UserDevices;
        assert.strictEqual((yield* register("u|1", "phone")).created, true);
        assert.strictEqual((yield* register("u|1", "phone", "another-token")).created, false);
        yield* register("u|1", "tablet");
        assert.deepStrictEqual(yield* idsOf("u|1"), ["phone", "tablet"]);
        yield* register("u2", "same-tablet", "token-tablet");
        assert.deepStrictEqual(yield* idsOf("u|1"), ["phone"]);
        assert.deepStrictEqual(yield* idsOf("u2"), ["same-tablet"]);
        assert.strictEqual(yield* devices.remove("u|1", "phone"), true);
        assert.strictEqual(yield* devices.remove("u|1", "phone"), false);
        assert.deepStrictEqual(yield* idsOf("u|1"), []);
    }).pipe(Effect.provide(layer)));
    it.effect("removes a token that its provider rejected, unless the device registered it again since", () => Effect.gen(function* () {
        const devices = yield* UserDevices;
        yield* TestClock.adjust("1 hour");
        yield* register("u|1", "phone");
        const reported = yield* Clock.currentTimeMillis;
        const mark = (since) => devices.markInvalid({ tokenHash, reason: "unregistered", since });
        assert.deepStrictEqual(yield* mark(reported - 1), Option.none());
        assert.deepStrictEqual(yield* idsOf("u|1"), ["phone"]);
        assert.deepStrictEqual(yield* mark(reported), Option.some("u|1"));
        assert.deepStrictEqual(yield* mark(reported), Option.none());
        assert.deepStrictEqual(yield* idsOf("u|1"), []);
        yield* devices.restore(tokenHash);
        assert.deepStrictEqual(yield* idsOf("u|1"), ["phone"]);
        yield* mark(reported);
        yield* TestClock.adjust("1 minute");
        yield* register("u|1", "phone");
        assert.deepStrictEqual(yield* mark(reported), Option.none());
        assert.deepStrictEqual(yield* idsOf("u|1"), ["phone"]);
        assert.deepStrictEqual(yield* devices.markInvalid({ tokenHash: "unknown", reason: "x", since: 0 }), Option.none());
    }).pipe(Effect.provide(layer)));
    it.effect("replaces the device that registered longest ago at the limit", () => Effect.gen(function* () {
        for (let index = 0; index <= maxDevices; index++)
            yield* register("u|1", `d${index}`);
        const ids = yield* idsOf("u|1");
        assert.strictEqual(ids.length, maxDevices);
        assert.notInclude(ids, "d0");
        yield* Effect.flatMap(UserDevices, (devices) => devices.clear("u|1"));
        assert.deepStrictEqual(yield* idsOf("u|1"), []);
    }).pipe(Effect.provide(layer)));
});
