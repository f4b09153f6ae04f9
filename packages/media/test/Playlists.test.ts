import * as MasterPlaylist from "@armoricore/media/MasterPlaylist"
import * as MediaPlaylist from "@armoricore/media/MediaPlaylist"
import { assert, describe, it } from "@effect/vitest"
import * as HLS from "hls-parser"

const segment = (name: string, seconds: number, bytes: number): MediaPlaylist.Segment => ({ name, seconds, bytes })
const picture = [segment("0.m4s", 4, 500_000), segment("1.m4s", 4, 1_000_000), segment("2.m4s", 0.1, 100_000)]
const sound = [segment("0.m4s", 4, 64_000), segment("1.m4s", 4.1, 64_000)]

const variant = (name: string, height: number): MasterPlaylist.Variant => ({
  name,
  width: (height * 16) / 9,
  height,
  frameRate: { num: 30_000, den: 1001 },
  codec: "avc1.64001F",
  timescale: 90_000,
  segments: picture,
})

const track = (name: string, changes: Partial<MasterPlaylist.Sound> = {}): MasterPlaylist.Sound => ({
  name,
  codec: "mp4a.40.2",
  timescale: 48_000,
  segments: sound,
  title: name,
  ...changes,
})

describe("MediaPlaylist", () => {
  it("is read back by a player's parser", () => {
    const parsed = HLS.parse(MediaPlaylist.render("init.mp4", picture))
    assert.isTrue(parsed instanceof HLS.types.MediaPlaylist && parsed.endlist && parsed.segments.length === 3)
    assert.deepStrictEqual(MediaPlaylist.read(MediaPlaylist.render("init.mp4", picture)), {
      init: "init.mp4",
      segments: ["0.m4s", "1.m4s", "2.m4s"],
    })
  })

  it("takes the worst run of segments as the peak, a tiny last one with its neighbour", () => {
    assert.closeTo(MediaPlaylist.peakRate(picture), (1_100_000 * 8) / 4.1, 1)
    assert.closeTo(MediaPlaylist.peakRate([segment("0.m4s", 0.2, 1000)]), 40_000, 1)
    assert.strictEqual(MediaPlaylist.peakRate([]), 0)
    assert.closeTo(MediaPlaylist.averageRate(picture), (1_600_000 * 8) / 8.1, 1)
  })
})

describe("MasterPlaylist", () => {
  it("names every rendition with what a player wants to know", () => {
    const text = MasterPlaylist.render([variant("720p", 720), variant("360p", 360)], [track("audio")])
    const parsed = HLS.parse(text)
    assert.isTrue(parsed instanceof HLS.types.MasterPlaylist)
    if (!(parsed instanceof HLS.types.MasterPlaylist)) return
    const [first] = parsed.variants
    assert.strictEqual(first?.codecs, "avc1.64001F,mp4a.40.2")
    assert.strictEqual(first?.bandwidth, MasterPlaylist.bandwidth(variant("720p", 720), [track("audio")]))
    assert.closeTo(first?.frameRate ?? 0, 29.97, 0.001)
    assert.strictEqual(first?.audio[0]?.uri, "audio/stream.m3u8")
    assert.match(text, /VIDEO-RANGE=SDR/)
  })

  it("has no audio group without sound, and one variant for sound alone", () => {
    assert.notInclude(MasterPlaylist.render([variant("360p", 360)], []), "AUDIO")
    const alone = MasterPlaylist.render([], [track("audio")])
    assert.notInclude(alone, "RESOLUTION")
    assert.match(alone, /CODECS="mp4a.40.2"\naudio\/stream.m3u8/)
  })
})
