import * as MemoryStorage from "@armoricore/storage/memory/MemoryStorage";
import { ObjectStorage } from "@armoricore/storage/ObjectStorage";
import { PlaybackUrls, permissionPrefix } from "@armoricore/storage/PlaybackUrls";
import { layerProxy } from "@armoricore/storage/PlaybackProxy";
import { PublicUrl } from "@armoricore/storage/PublicUrl";
import * as S3Storage from "@armoricore/storage/s3/S3Storage";
import { S3Server } from "@armoricore/testing/S3Server";
import { assert, describe, it, layer } from "@effect/vitest";
import { Duration, Effect, Layer, Redacted } from "effect";
import { TestClock } from "effect/testing";
import { contentKeys, objectServer } from "./support/ObjectServer.ts";
const text = (value) => new TextEncoder().encode(value);
const request = (url, init) => Effect.promise(() => fetch(url, init));
const bodyOf = (response) => Effect.promise(() => response.text());
const problemOf = (response) => Effect.map(bodyOf(response), (body) => {
    assert.strictEqual(response.headers.get("content-type"), "application/problem+json");
    assert.strictEqual(response.headers.get("access-control-allow-origin"), "*");
    assert.strictEqual(JSON.parse(body).status, response.status);
});
const s3 = Layer.unwrap(Effect.map(S3Server, (server) => S3Storage.layer(server))).pipe(Layer.provide(S3Server.layer({ buckets: ["media"] })));
const master = { bucket: "media", key: "media/abc/7/master.m3u8" };
const putAll = Effect.gen(function* () {
    const store = yield* ObjectStorage;
    const playlist = { contentType: "application/vnd.apple.mpegurl", cacheControl: "max-age=2" };
    yield* store.put(master, text("#EXTM3U"), playlist);
    yield* store.put({ bucket: "media", key: "media/abc/7/720p/s 1.m4s" }, text("0123456789"), {
        contentType: "video/mp4",
    });
    yield* store.put({ bucket: "media", key: "media/abc/8/master.m3u8" }, text("another version"), playlist);
    return yield* (yield* PlaybackUrls).urlFor(master);
});
for (const [name, storage] of [
    ["memory", MemoryStorage.layerNoDeps()],
    ["S3", s3],
]) {
    layer(objectServer(storage), { excludeTestServices: true })(`playback from ${name}`, (it) => {
        it.effect("plays a playlist and what it names relatively", () => Effect.gen(function* () {
            const url = yield* putAll;
            const playlist = yield* request(url);
            assert.strictEqual(playlist.status, 200);
            assert.strictEqual(playlist.headers.get("content-type"), "application/vnd.apple.mpegurl");
            assert.strictEqual(playlist.headers.get("cache-control"), "max-age=2");
            assert.strictEqual(playlist.headers.get("content-length"), "7");
            assert.strictEqual(playlist.headers.get("access-control-allow-origin"), "*");
            assert.strictEqual(playlist.headers.get("x-content-type-options"), "nosniff");
            assert.strictEqual(yield* bodyOf(playlist), "#EXTM3U");
            const segment = yield* request(new URL("720p/s%201.m4s", url));
            assert.strictEqual(yield* bodyOf(segment), "0123456789");
        }));
        it.effect("gives the content keys of a stream to the holder of its playback token", () => Effect.gen(function* () {
            const master = new URL(yield* putAll);
            const { keysFor } = yield* PlaybackUrls;
            const { relative = "", url } = yield* keysFor({ bucket: "media", key: "media/abc/7/" });
            assert.strictEqual(url, new URL(relative, new URL("720p/stream.m3u8", master)).href);
            const second = yield* request(`${url}/1`);
            assert.strictEqual(second.headers.get("cache-control"), "no-store");
            assert.strictEqual(second.headers.get("access-control-allow-origin"), "*");
            assert.deepStrictEqual(Buffer.from(yield* Effect.promise(() => second.arrayBuffer())), contentKeys[1]?.key);
            const license = yield* request(url, { method: "POST", body: JSON.stringify({ kids: [], type: "temporary" }) });
            const { keys } = JSON.parse(yield* bodyOf(license));
            assert.strictEqual(keys.length, 2);
            assert.deepStrictEqual(keys[0], { kty: "oct", kid: "AAAAAAAAAAAAAAAAAAAAAA", k: "AQEBAQEBAQEBAQEBAQEBAQ" });
            const missing = yield* request(`${url}/2`);
            assert.strictEqual(missing.status, 404);
            yield* problemOf(missing);
            const forged = yield* request(url.replace(/.\/keys$/, (end) => `${end[0] === "A" ? "B" : "A"}/keys`), { method: "POST" });
            assert.strictEqual(forged.status, 403);
            const other = yield* keysFor({ bucket: "media", key: "media/other/7/" });
            assert.strictEqual((yield* request(`${other.url}/0`)).status, 404);
            const down = yield* request(`${(yield* keysFor({ bucket: "media", key: "media/down/7/" })).url}/0`);
            assert.strictEqual(down.status, 503);
            assert.strictEqual(down.headers.get("retry-after"), "2");
        }));
        it.effect("answers ranges, conditions and HEAD", () => Effect.gen(function* () {
            const segment = new URL("720p/s%201.m4s", yield* putAll);
            for (const [range, contentRange, body] of [
                ["bytes=2-4", "bytes 2-4/10", "234"],
                ["bytes=8-", "bytes 8-9/10", "89"],
                ["bytes=-3", "bytes 7-9/10", "789"],
                ["bytes=-99", "bytes 0-9/10", "0123456789"],
                ["bytes=5-99", "bytes 5-9/10", "56789"],
            ]) {
                const part = yield* request(segment, { headers: { range } });
                assert.strictEqual(part.status, 206);
                assert.strictEqual(part.headers.get("content-range"), contentRange);
                assert.strictEqual(part.headers.get("content-length"), String(body.length));
                assert.strictEqual(yield* bodyOf(part), body);
            }
            for (const range of ["bytes=10-", "bytes=-0"]) {
                const beyond = yield* request(segment, { headers: { range } });
                assert.strictEqual(beyond.status, 416);
                assert.strictEqual(beyond.headers.get("content-range"), "bytes */10");
                yield* problemOf(beyond);
            }
            for (const range of ["bytes=4-2", "bytes=0-1,3-4", "lines=1-2", "bytes=-"]) {
                const whole = yield* request(segment, { headers: { range } });
                assert.strictEqual(whole.status, 200);
                assert.strictEqual(yield* bodyOf(whole), "0123456789");
            }
            const head = yield* request(segment, { method: "HEAD" });
            assert.strictEqual(head.status, 200);
            assert.strictEqual(head.headers.get("content-length"), "10");
            assert.strictEqual(head.headers.get("content-type"), "video/mp4");
            assert.strictEqual(head.headers.get("accept-ranges"), "bytes");
            const etag = head.headers.get("etag") ?? "";
            assert.match(etag, /^".+"$/);
            const known = yield* request(segment, { headers: { "if-none-match": `"other", W/${etag}` } });
            assert.strictEqual(known.status, 304);
            assert.strictEqual(yield* bodyOf(known), "");
            const changed = yield* request(segment, { headers: { "if-none-match": '"other"' } });
            assert.strictEqual(yield* bodyOf(changed), "0123456789");
            const fits = yield* request(segment, { headers: { range: "bytes=0-1", "if-range": etag } });
            assert.strictEqual(yield* bodyOf(fits), "01");
            const outdated = yield* request(segment, { headers: { range: "bytes=0-1", "if-range": '"other"' } });
            assert.strictEqual(outdated.status, 200);
            yield* bodyOf(outdated);
        }));
        it.effect("opens nothing else with a token", () => Effect.gen(function* () {
            const url = yield* putAll;
            const [, token = ""] = /\/play\/([^/]+)\//.exec(url) ?? [];
            const base = url.slice(0, url.indexOf("/play/"));
            for (const rest of [
                "../8/master.m3u8",
                "..%2f8%2fmaster.m3u8",
                "%2e%2e/8/master.m3u8",
                "none.m4s",
                "",
                "%zz",
                ".",
            ]) {
                const answer = yield* request(`${base}/play/${token}/${rest}`);
                assert.include([403, 404], answer.status, rest);
                yield* problemOf(answer);
            }
            const [payload = "", mac = ""] = token.split(".");
            const widened = Buffer.from(JSON.stringify(["media", "media/", 0])).toString("base64url");
            for (const forged of [`${widened}.${mac}`, `${payload}.`, payload, ".", `${payload}.${"A".repeat(22)}`]) {
                const answer = yield* request(`${base}/play/${forged}/master.m3u8`);
                assert.strictEqual(answer.status, 403, forged);
                yield* problemOf(answer);
            }
            assert.strictEqual((yield* request(`${base}/play/`)).status, 403);
            const written = yield* request(url, { method: "PUT", body: "x" });
            assert.strictEqual(written.status, 405);
            assert.strictEqual((yield* request(`${base}/elsewhere`)).status, 404);
        }));
        it.effect("lets pages of other origins play", () => Effect.gen(function* () {
            const answer = yield* request(yield* putAll, {
                method: "OPTIONS",
                headers: { origin: "https://example.com", "access-control-request-headers": "range" },
            });
            assert.strictEqual(answer.status, 204);
            assert.strictEqual(answer.headers.get("access-control-allow-origin"), "*");
            assert.include(answer.headers.get("access-control-allow-headers"), "range");
            assert.include(answer.headers.get("access-control-allow-methods"), "HEAD");
        }));
        it.effect("plays a key of 900 bytes", () => Effect.gen(function* () {
            const ref = { bucket: "media", key: `media/abc/7/${"folder/".repeat(125)}x` };
            yield* (yield* ObjectStorage).put(ref, text("deep"), { contentType: "a/b" });
            assert.strictEqual(yield* bodyOf(yield* request(yield* (yield* PlaybackUrls).urlFor(ref))), "deep");
        }));
        it.effect("refuses a token that has expired", () => Effect.gen(function* () {
            yield* putAll;
            const { get } = yield* PublicUrl;
            const base = yield* get;
            const signedAnHourAgo = (expiresIn) => Effect.andThen(TestClock.setTime(Date.now() - 3_600_000), Effect.flatMap(PlaybackUrls, (urls) => urls.urlFor(master))).pipe(Effect.provide(layerProxy({ key: Redacted.make("a key for tests"), expiresIn }).pipe(Layer.provide(PublicUrl.layerFixed(base)))), Effect.provide(TestClock.layer()));
            const late = yield* request(yield* signedAnHourAgo(Duration.minutes(59)));
            assert.strictEqual(late.status, 403);
            yield* problemOf(late);
            assert.strictEqual((yield* request(yield* signedAnHourAgo(Duration.minutes(70)))).status, 200);
        }));
    });
}
describe("prefixOf", () => {
    it("is the version of a media, and the folder of anything else", () => {
        assert.strictEqual(permissionPrefix("media/abc/7/720p/1.m4s"), "media/abc/7/");
        assert.strictEqual(permissionPrefix("captions/abc/en.vtt"), "captions/abc/");
        assert.strictEqual(permissionPrefix("media/abc/x"), "media/abc/");
        assert.strictEqual(permissionPrefix("alone.mp4"), "alone.mp4");
    });
    it.effect("gives an address to a key without a folder too", () => Effect.gen(function* () {
        const ref = { bucket: "media", key: "alone é.txt" };
        yield* (yield* ObjectStorage).put(ref, text("alone"), { contentType: "a/b" });
        const url = yield* (yield* PlaybackUrls).urlFor(ref);
        assert.strictEqual(yield* bodyOf(yield* request(url)), "alone");
        const other = yield* request(`${url}2`);
        assert.strictEqual(other.status, 404);
    }).pipe(Effect.provide(objectServer(MemoryStorage.layerNoDeps()))));
});
