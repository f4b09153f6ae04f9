import { ConfigurationError } from "@armoricore/domain/Errors";
import { KeyValue } from "@armoricore/state/KeyValue";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import { PublicUrl } from "@armoricore/storage/PublicUrl";
import { assert, it } from "@effect/vitest";
import { Context, Effect, Layer } from "effect";
import { UnsubscribeLinks } from "../../src/unsubscribe/UnsubscribeLinks.ts";
import * as UnsubscribeKey from "../../src/unsubscribe/UnsubscribeKey.ts";
/** As a process has it that has nothing but the state in common with the others. */
const inProcess = Layer.build(Layer.fresh(Layer.unwrap(Effect.map(UnsubscribeKey.sharedKey, (key) => UnsubscribeLinks.layer({ key }))).pipe(Layer.provide(PublicUrl.layerFixed("https://example.com"))))).pipe(Effect.map((context) => Context.get(context, UnsubscribeLinks)));
it.effect("without JWT_SECRET every process signs and verifies links with the same key", () => Effect.gen(function* () {
    // regression: the processes had different keys
    const [notify, realtime] = yield* Effect.all([inProcess, inProcess], { concurrency: "unbounded" });
    const url = yield* notify.urlFor({ channel: "email", address: "anna@example.org" }, "newsletter");
    const token = url?.slice(url.lastIndexOf("/") + 1) ?? "";
    assert.strictEqual(realtime.verify(token)?.category, "newsletter");
    // And a process that starts later.
    assert.deepStrictEqual((yield* inProcess).verify(token), notify.verify(token));
    assert.isUndefined(realtime.verify(`${token}x`));
}).pipe(Effect.scoped, Effect.provide(MemoryState.layer)));
it.effect("the shared key creates its bucket on the first start", () => Effect.gen(function* () {
    // regression: with JWT_JWKS_URL the first start on an empty NATS failed
    const memory = yield* KeyValue;
    const made = new Set();
    const missing = new ConfigurationError({ setting: "MESSAGE_BUS_URL", message: "the bucket does not exist" });
    const asked = (bucket, effect) => made.has(bucket.name) ? effect : Effect.fail(missing);
    const fresh = {
        ...memory,
        get: (bucket, key) => asked(bucket, memory.get(bucket, key)),
        create: (bucket, key, value, options) => asked(bucket, memory.create(bucket, key, value, options)),
        setup: (buckets) => {
            for (const { name } of buckets)
                made.add(name);
            return memory.setup(buckets);
        },
    };
    assert.isDefined(yield* UnsubscribeKey.sharedKey.pipe(Effect.provideService(KeyValue, fresh)));
}).pipe(Effect.provide(MemoryState.layer)));
