import { isKey, token } from "@armoricore/storage/EdgeAuth";
import { PlaybackUrls } from "@armoricore/storage/PlaybackUrls";
import { layerCdn } from "@armoricore/storage/PlaybackCdn";
import { assert, describe, it } from "@effect/vitest";
import { Duration, Effect, Layer, Redacted } from "effect";
import { TestClock } from "effect/testing";
const key = Redacted.make("52a152a152a152a152a152a152a1");
const ref = { bucket: "media", key: "media/abc/7/master.m3u8" };
const edgeAuth = { key, expiresIn: Duration.hours(1), name: "hdnts" };
const urlWith = (options, wanted = ref) => Effect.flatMap(PlaybackUrls, (urls) => urls.urlFor(wanted)).pipe(Effect.provide(layerCdn(options)));
const keysFor = () => Effect.succeed({ url: "https://www.example.com/play/t/keys", relative: "../keys" });
describe("EdgeAuth", () => {
    it("makes the token of the vector with an ACL", () => {
        assert.strictEqual(token({ key, start: 1_700_000_000, expires: 1_700_003_600, grant: { acl: ["/v1/abc/*"] } }), "st=1700000000~exp=1700003600~acl=/v1/abc/*~hmac=91c17fd3bec28cd280f18db399b3d2533cbc562a4dbdd19293055f01681d45ce");
    });
    it("makes the token of the vector with a URL", () => {
        assert.strictEqual(token({ key, expires: 1_700_003_600, grant: { url: "/v1/abc/master.m3u8" } }), "exp=1700003600~hmac=0464d0c55bd42324317c822f32e46661196af94bf0c6574e6b342cb7e7429e60");
    });
    it("knows a key from what is none", () => {
        assert.isTrue(isKey("eee7e9157f81b2f6d471bf2c"));
        for (const text of ["", "abc", "zz", "0".repeat(34), " 00"])
            assert.isFalse(isKey(text));
    });
});
describe("PlaybackCdn", () => {
    it.effect("points at the CDN", () => Effect.gen(function* () {
        assert.strictEqual(yield* urlWith({ keysFor, baseUrl: "https://cdn.example.com/" }), "https://cdn.example.com/media/abc/7/master.m3u8");
        assert.strictEqual(yield* urlWith({ keysFor, baseUrl: "https://cdn.example.com/base" }, { bucket: "media", key: "a b/ü~.vtt" }), "https://cdn.example.com/base/a%20b/%C3%BC%7E.vtt");
    }));
    it.effect("signs the whole version, so that one token opens playlists and segments", () => Effect.gen(function* () {
        yield* TestClock.setTime(1_700_000_000_500);
        const url = new URL(yield* urlWith({ keysFor, baseUrl: "https://cdn.example.com/base", edgeAuth }));
        assert.strictEqual(url.pathname, "/base/media/abc/7/master.m3u8");
        assert.strictEqual(url.searchParams.get("hdnts"), token({ key, expires: 1_700_003_600, grant: { acl: ["/base/media/abc/7/*"] } }));
        const named = yield* urlWith({
            keysFor,
            baseUrl: "https://cdn.example.com",
            edgeAuth: { ...edgeAuth, name: "__token__" },
        });
        assert.include(named, "?__token__=exp=1700003600~acl=/media/abc/7/*~hmac=");
    }));
    it.effect("refuses a key or an address that cannot be one", () => Effect.gen(function* () {
        const faultOf = (options) => Effect.flip(Effect.scoped(Layer.build(layerCdn(options))));
        const wrongKey = yield* faultOf({
            keysFor,
            baseUrl: "https://cdn.example.com",
            edgeAuth: { ...edgeAuth, key: Redacted.make("not hex") },
        });
        assert.strictEqual(wrongKey.setting, "AKAMAI_EDGEAUTH_KEY");
        assert.notInclude(wrongKey.message, "not hex");
        assert.strictEqual((yield* faultOf({ keysFor, baseUrl: "cdn" })).setting, "CDN_BASE_URL");
    }));
});
