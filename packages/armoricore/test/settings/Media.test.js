import { Quota } from "@armoricore/media/pipeline/Quota";
import * as MemoryState from "@armoricore/state/memory/MemoryState";
import * as NodeServices from "@effect/platform-node/NodeServices";
import { assert, describe, it } from "@effect/vitest";
import { ConfigProvider, Duration, Effect, Layer } from "effect";
import * as Services from "../../src/app/Services.ts";
import { Settings } from "../../src/settings/Settings.ts";
import { settingsErrors } from "../support/SettingsErrors.ts";
const settings = (env) => Settings.layer.pipe(Layer.provide(NodeServices.layer), Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env))));
const optionsOf = (env) => Effect.map(Settings, Services.mediaOptions).pipe(Effect.provide(settings(env)));
const charged = (env, uploads) => Effect.gen(function* () {
    const quota = yield* Quota;
    return yield* Effect.forEach(uploads, ([bytes, seconds], index) => quota.charge("u1", { eventId: `event-${index}`, bytes, seconds }).pipe(Effect.as("charged"), Effect.catchTag("PermanentError", ({ code }) => Effect.succeed(code))));
}).pipe(Effect.provide(Services.mediaQuota.pipe(Layer.provide(settings(env)), Layer.provide(Layer.fresh(MemoryState.layer)))));
describe("Settings of media", () => {
    it.effect("reach the pipeline in its units", () => Effect.gen(function* () {
        const options = yield* optionsOf({
            MEDIA_LADDER: "1080:5000, 360p:800",
            MEDIA_CODECS: "av1, hevc",
            MEDIA_MP4: "720p,360p",
            MEDIA_LOUDNESS: "-16",
            MEDIA_AUDIO_ONLY: "off",
            MEDIA_PASSTHROUGH: "off",
            MEDIA_SHORT_MAX_COST: "90 s",
            MEDIA_USER_CONCURRENCY: "3",
            MEDIA_MAX_OUTPUT: "20 GB",
            MEDIA_STORYBOARD: "off",
            MEDIA_THUMBNAILS: "3",
            MEDIA_CONCURRENCY: "2",
            MEDIA_WORK_DIR: "/var/tmp/media",
            MEDIA_MAX_BYTES: "1.5 GB",
            MEDIA_MAX_DURATION: "2h",
            MEDIA_MAX_PIXELS: "2073600",
            MEDIA_MAX_TRACKS: "8",
            MEDIA_MAX_MEMORY: "2GB",
            MEDIA_TIMEOUT_FACTOR: "10",
            MEDIA_STALL_TIMEOUT: "30s",
            MEDIA_MIN_FREE_DISK: "1000000",
        });
        assert.deepStrictEqual(options, {
            bucket: "media",
            sourceBuckets: ["media"],
            ladder: [
                { shortSide: 1080, kilobits: 5000 },
                { shortSide: 360, kilobits: 800 },
            ],
            codecs: ["h264", "av1", "hevc"],
            mp4: ["720p", "360p"],
            loudness: -16,
            audioOnly: false,
            storyboard: false,
            thumbnails: 3,
            concurrency: 2,
            passthrough: false,
            chunks: { minDuration: 600, chunkSeconds: 32 },
            shortWorkLimit: 90,
            perUser: 3,
            maxOutputBytes: 20_000_000_000,
            scratchDir: "/var/tmp/media",
            limits: { maxBytes: 1_500_000_000, maxSeconds: 7200, maxPixels: 2_073_600, maxStreams: 8 },
            memoryLimit: 2_000_000_000,
            timeoutFactor: 10,
            stallTimeout: Duration.seconds(30),
            minFreeDisk: 1_000_000,
        });
        assert.strictEqual((yield* optionsOf({ MEDIA_MP4: "all" })).mp4, "all");
    }));
    for (const [name, value] of [
        ["MEDIA_LADDER", "1080"],
        ["MEDIA_LADDER", "1080:5000,1080:4000"],
        ["MEDIA_LADDER", "8:5000"],
        ["MEDIA_MP4", "720p,everything"],
        ["MEDIA_CODECS", "h264,vp9"],
        ["MEDIA_PROTECTION", "drm"],
        ["MEDIA_KEY_PERIOD", "0 s"],
        ["MEDIA_LOUDNESS", "16"],
        ["MEDIA_MAX_BYTES", "0"],
        ["MEDIA_MAX_BYTES", "5 parsecs"],
        ["MEDIA_MAX_MEMORY", "1 MB"],
        ["MEDIA_QUOTA_UPLOADS", "0"],
        ["MEDIA_MAX_DURATION", "long"],
        ["MEDIA_MAX_DURATION", "0"],
        ["MEDIA_QUOTA_DURATION", "0 s"],
    ]) {
        it.effect(`${name}=${value} is an error`, () => Effect.gen(function* () {
            const faults = yield* settingsErrors(optionsOf({ [name]: value }));
            assert.lengthOf(faults, 1);
            assert.isTrue(faults[0]?.startsWith(`${name} must be `), faults[0]);
        }));
    }
    it.effect("of protection reach the pipeline, and those that do not fit together are errors", () => Effect.gen(function* () {
        const env = { MEDIA_PROTECTION: "cbcs", MEDIA_KEY_SECRET: "a secret of this test" };
        const { protection } = yield* optionsOf({ ...env, MEDIA_KEY_PERIOD: "10 min" });
        assert.strictEqual(protection?.scheme, "cbcs");
        assert.deepStrictEqual(protection?.period, Duration.minutes(10));
        const server = { MEDIA_KEY_SERVER_URL: "https://keys.example.com", MEDIA_KEY_SERVER_SECRET: "another secret" };
        assert.strictEqual((yield* optionsOf({ ...env, ...server })).protection?.keyServer?.url, "https://keys.example.com");
        assert.isUndefined((yield* optionsOf({ MEDIA_KEY_SECRET: env.MEDIA_KEY_SECRET })).protection);
        for (const [changes, fault] of [
            [{ MEDIA_PROTECTION: "cbcs" }, "MEDIA_KEY_SECRET is missing"],
            [{ ...env, MEDIA_MP4: "all" }, "MEDIA_MP4 makes files that are not encrypted"],
            [{ ...env, MEDIA_KEY_SERVER_URL: server.MEDIA_KEY_SERVER_URL }, "MEDIA_KEY_SERVER_SECRET is missing"],
        ]) {
            const faults = yield* settingsErrors(optionsOf(changes));
            assert.lengthOf(faults, 1);
            assert.isTrue(faults[0]?.startsWith(fault), faults[0]);
        }
    }));
    it.effect("the daily quota applies only the configured limits, and none by default", () => Effect.gen(function* () {
        const large = [1e12, 1e6];
        assert.deepStrictEqual(yield* charged({}, [large, large]), ["charged", "charged"]);
        assert.deepStrictEqual(yield* charged({ MEDIA_QUOTA_UPLOADS: "1" }, [large, large]), [
            "charged",
            "quota_exceeded",
        ]);
        assert.deepStrictEqual(yield* charged({ MEDIA_QUOTA_BYTES: "1 GB" }, [[1e9, 1e6], large]), [
            "charged",
            "quota_exceeded",
        ]);
        assert.deepStrictEqual(yield* charged({ MEDIA_QUOTA_DURATION: "1 h" }, [
            [1e12, 3600],
            [1, 1],
        ]), ["charged", "quota_exceeded"]);
    }));
});
