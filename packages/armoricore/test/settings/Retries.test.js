/** RETRY_SERVICES: overrides of the retry policy for one service, from the environment to the worker. */
import { retryPolicyOf } from "@armoricore/worker/RetryPolicy";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it } from "@effect/vitest";
import { ConfigProvider, Duration, Effect, Layer } from "effect";
import * as Services from "../../src/app/Services.ts";
import * as Settings from "../../src/settings/Settings.ts";
const settings = (env) => Settings.Settings.layer.pipe(Layer.provide([NodeServices.layer, ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))]));
const policies = { notify: { max_attempts: 8, base: "2 s" }, media: { cap: "5 min" } };
describe("RETRY_SERVICES", () => {
    it.effect("overrides only the listed fields of that service", () => Effect.gen(function* () {
        const millis = Effect.fnUntraced(function* (service) {
            const { base, cap, maxAttempts } = yield* retryPolicyOf(service);
            return [maxAttempts, Duration.toMillis(base), Duration.toMillis(cap)];
        });
        assert.deepStrictEqual(yield* millis("notify"), [8, 2_000, 60_000]);
        assert.deepStrictEqual(yield* millis("media"), [3, 1_000, 300_000]);
        assert.deepStrictEqual(yield* millis("ai"), [3, 1_000, 60_000]);
    }).pipe(Effect.provide(Services.workerSettings.pipe(Layer.provide([
        settings({
            RETRY_MAX_ATTEMPTS: "3",
            RETRY_SERVICES: JSON.stringify(policies),
            URL_SECRET: "a secret of this test",
        }),
        NodeServices.layer,
    ])))));
    it.effect("check-config prints it as JSON that the setting accepts", () => Effect.gen(function* () {
        const lines = Settings.describe(yield* Settings.Settings);
        assert.include(lines, 'RETRY_SERVICES={"notify":{"max_attempts":8,"base":"2 s"},"media":{"cap":"300 s"}}');
    }).pipe(Effect.provide(settings({ RETRY_SERVICES: JSON.stringify(policies) }))));
    for (const [value, says] of [
        ["notify", "valid JSON"],
        ["[]", "a JSON object"],
        ['{"mail":{}}', '"mail"'],
        ['{"notify":{"max_attempts":0}}', "max_attempts"],
        ['{"notify":{"tries":3}}', '"tries"'],
        ['{"notify":{"base":"soon"}}', '"soon"'],
        ['{"notify":{"base":"2 min"}}', "longer than the cap for notify"],
    ]) {
        it.effect(`${value} is rejected with the name and the reason`, () => Effect.gen(function* () {
            const error = yield* Effect.flip(Effect.provide(Settings.Settings, settings({ RETRY_SERVICES: value })));
            assert.include(error.message, "RETRY_SERVICES");
            assert.include(error.message, says);
        }));
    }
});
