import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it } from "@effect/vitest";
import { ConfigProvider, Effect } from "effect";
import * as Settings from "../../src/settings/Settings.ts";
const read = (env) => Settings.Settings.pipe(Effect.provide(Settings.Settings.layer), Effect.provide(NodeServices.layer), Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))));
describe("settings of notifications", () => {
    it.effect("are strict and without limits by default", () => Effect.gen(function* () {
        const { MAIL_RESEND_UNKNOWN, NOTIFY_RATE_LIMITS, NOTIFY_TEMPLATES, SES_TOPICS } = yield* read({});
        assert.strictEqual(MAIL_RESEND_UNKNOWN, "stop");
        assert.deepStrictEqual([NOTIFY_RATE_LIMITS, NOTIFY_TEMPLATES, SES_TOPICS], [undefined, undefined, undefined]);
    }));
    it.effect("rates are read a route", () => Effect.gen(function* () {
        const { NOTIFY_RATE_LIMITS } = yield* read({ NOTIFY_RATE_LIMITS: "apns:500, ses:0.5" });
        assert.deepStrictEqual([...(NOTIFY_RATE_LIMITS ?? [])], [
            ["apns", 500],
            ["ses", 0.5],
        ]);
    }));
    for (const [name, value] of [
        ["NOTIFY_RATE_LIMITS", "pigeon:5"],
        ["NOTIFY_RATE_LIMITS", "apns:0"],
        ["NOTIFY_RATE_LIMITS", "apns:5,apns:6"],
        ["NOTIFY_RATE_LIMITS", "apns"],
        ["MAIL_RESEND_UNKNOWN", "perhaps"],
        ["SES_TOPICS", "ses-reports"],
        ["NOTIFY_TEMPLATES", "/nowhere/at/all"],
        ["UNSUBSCRIBE_SECRET", "short"],
    ]) {
        it.effect(`${name}=${value} is a fault at start`, () => Effect.gen(function* () {
            const ses = { SES_REGION: "eu-west-1", SES_TOPICS: "arn:aws:sns:eu-west-1:123456789012:ses-reports" };
            const error = yield* Effect.flip(read({ ...ses, MAIL_FROM: "a@example.com", [name]: value }));
            const faults = error._tag === "SettingsError" ? error.errors : [error.message];
            assert.lengthOf(faults, 1);
            assert.match(faults[0] ?? "", new RegExp(`^${name} `));
        }));
    }
});
