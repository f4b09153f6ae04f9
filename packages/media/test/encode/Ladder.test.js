import { defaultVideoCodecIds } from "@armoricore/media/encode/codecs/Codecs";
import { defaultLadder, frameRate, planRenditions } from "@armoricore/media/encode/Ladder";
import { assert, describe, it } from "@effect/vitest";
import { Effect, Schema } from "effect";
const source = (changes) => ({
    index: 0,
    codec: "h264",
    width: 1920,
    height: 1080,
    rotation: 0,
    frameRate: { num: 30, den: 1 },
    bitrate: 20_000_000,
    interlaced: false,
    matrix: "bt709",
    hdr: undefined,
    still: undefined,
    ...changes,
});
const names = (changes) => planRenditions(source(changes)).map(({ name }) => name);
const sizes = (changes) => planRenditions(source(changes)).map(({ width, height }) => `${width}x${height}`);
describe("Ladder", () => {
    it("a source gets its own size and the smaller renditions, largest first", () => {
        assert.deepStrictEqual(names({}), ["1080p", "720p", "480p", "360p"]);
        assert.deepStrictEqual(names({ width: 3840, height: 2160 }), ["2160p", "1440p", "1080p", "720p", "480p", "360p"]);
        assert.deepStrictEqual(sizes({ width: 1279, height: 719 }), ["1278x718", "854x480", "640x360"]);
    });
    it("the largest rendition has the source's own size for every aspect ratio", () => {
        // regression: a source of two pixels less than an entry, and every wide film, lost up to a third of its size
        for (const [width, height, name] of [
            [1918, 1078, "1080p"],
            [1920, 800, "1080p"],
            [1280, 718, "720p"],
            [1280, 536, "720p"],
            [1440, 1080, "1080p"],
            [1080, 1080, "1080p"],
            [1080, 1920, "1080p"],
            [1078, 1918, "1080p"],
            [1366, 768, "720p"],
            [1600, 900, "900p"],
            [608, 1080, "608p"],
            [2048, 1080, "1080p"],
            [1500, 480, "844p"],
            [320, 240, "240p"],
        ]) {
            const [top, ...others] = planRenditions(source({ width, height }));
            assert.deepInclude(top, { width, height, name });
            for (const other of others)
                assert.isAtMost(other.width * other.height, width * height * 0.76, `${width} ${other.name}`);
        }
        assert.deepStrictEqual(sizes({ width: 1920, height: 800 }), ["1920x800", "1280x532", "852x356", "640x266"]);
        assert.deepStrictEqual(names({ width: 1366, height: 768 }), ["720p", "480p", "360p"]);
    });
    it("no rendition is larger than the largest entry", () => {
        assert.deepStrictEqual(sizes({ width: 7680, height: 4320 }).slice(0, 2), ["3840x2160", "2560x1440"]);
        const small = planRenditions(source({ width: 3840, height: 1600 }), [{ shortSide: 720, kilobits: 2800 }]);
        assert.deepStrictEqual(small.map(({ height, width }) => `${width}x${height}`), ["1280x532"]);
    });
    it("the bit rate of a size between two entries is between theirs", () => {
        const [top] = planRenditions(source({ width: 1600, height: 900 }));
        assert.isAbove(top?.kilobits ?? 0, 2800);
        assert.isBelow(top?.kilobits ?? 0, 5000);
    });
    it("the short side of a portrait video is its width", () => {
        assert.deepStrictEqual(sizes({ width: 1080, height: 1920 }), ["1080x1920", "720x1280", "480x852", "360x640"]);
    });
    it("a source below the ladder gets one rendition of its own size", () => {
        assert.deepStrictEqual(sizes({ width: 321, height: 241 }), ["320x240"]);
        assert.deepStrictEqual(names({ width: 321, height: 241 }), ["240p"]);
    });
    it("no rendition has a higher bit rate than the source", () => {
        const [top, next] = planRenditions(source({ bitrate: 1_000_000 }));
        assert.strictEqual(top?.kilobits, 1100);
        assert.isBelow(next?.kilobits ?? 0, 700);
        assert.strictEqual(planRenditions(source({ bitrate: undefined }))[0]?.kilobits, 5000);
        assert.strictEqual(planRenditions(source({ bitrate: 1_000_000, codec: "hevc" }))[0]?.kilobits, 1800);
    });
    it("encodes every size with every codec, and only additional codecs change the names", () => {
        const [codec = ""] = defaultVideoCodecIds;
        const renditions = planRenditions(source({}), defaultLadder, [codec, codec]);
        assert.deepStrictEqual(renditions.slice(0, 4).map(({ name }) => name), ["1080p", `1080p-${codec}`, "720p", `720p-${codec}`]);
    });
    const side = Schema.Int.check(Schema.isBetween({ minimum: 16, maximum: 8192 }));
    const rate = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100_000_000 }));
    it.effect.prop("never upscales, keeps the aspect ratio, has even sizes and is ordered", [side, side, rate], ([width, height, bitrate]) => Effect.sync(() => {
        const renditions = planRenditions(source({ width, height, bitrate }), defaultLadder);
        assert.isAtLeast(renditions.length, 1);
        for (const [index, rendition] of renditions.entries()) {
            assert.strictEqual(rendition.width % 2, 0);
            assert.strictEqual(rendition.height % 2, 0);
            assert.isAtMost(rendition.width, width);
            assert.isAtMost(rendition.height, height);
            assert.isAtLeast(rendition.kilobits, 1);
            const above = renditions[index - 1];
            if (above !== undefined)
                assert.isTrue(rendition.width <= above.width && rendition.height <= above.height);
            // Rounding to even sizes changes each side by up to two pixels.
            assert.closeTo(rendition.width * height, rendition.height * width, 2 * Math.max(width, height) + 2);
        }
        assert.strictEqual(new Set(renditions.map(({ name }) => name)).size, renditions.length);
    }));
    it("keeps common frame rates and replaces others", () => {
        const of = (num, den) => {
            const { num: n, den: d } = frameRate({ num, den });
            return `${n}/${d}`;
        };
        assert.strictEqual(of(24, 1), "24/1");
        assert.strictEqual(of(24_000, 1001), "24000/1001");
        assert.strictEqual(of(30_000, 1001), "30000/1001");
        assert.strictEqual(of(18, 1), "18/1");
        assert.strictEqual(of(24_600, 1469), "20/1");
        assert.strictEqual(of(120, 1), "60/1");
        assert.strictEqual(of(100, 1), "50/1");
        assert.strictEqual(of(240, 1), "60/1");
        assert.strictEqual(of(1, 1000), "5/1");
    });
});
