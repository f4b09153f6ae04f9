import * as MasterPlaylist from "@armoricore/media/packaging/MasterPlaylist"
import * as MediaPlaylist from "@armoricore/media/packaging/MediaPlaylist"
import { assert, describe, it } from "@effect/vitest"
import * as DashManifest from "@armoricore/media/packaging/DashManifest"
import * as Storyboard from "@armoricore/media/packaging/Storyboard"
import * as HLS from "hls-parser"
import { parse, childrenNamed } from "../support/Xml.ts"

const segment = (name: string, seconds: number, bytes: number): MediaPlaylist.Segment => ({ name, seconds, bytes })
const picture = [segment("0.m4s", 4, 500_000), segment("1.m4s", 4, 1_000_000), segment("2.m4s", 0.1, 100_000)]
const sound = [segment("0.m4s", 4, 64_000), segment("1.m4s", 4.1, 64_000)]

const variant = (name: string, height: number): MasterPlaylist.VideoRendition => ({
  name,
  width: (height * 16) / 9,
  height,
  frameRate: { num: 30_000, den: 1001 },
  codec: "avc1.64001F",
  timescale: 90_000,
  segments: picture,
})

const track = (name: string, changes: Partial<MasterPlaylist.AudioTrack> = {}): MasterPlaylist.AudioTrack => ({
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
    assert.deepStrictEqual(MediaPlaylist.parse(MediaPlaylist.render("init.mp4", picture)), {
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

describe("DashManifest", () => {
  it("names the same segments, writes runs of equal lengths once and hostile titles harmlessly", () => {
    const text = DashManifest.render({
      renditions: [variant("720p", 720)],
      audioTracks: [track("audio", { title: '</Label><a b="&">', language: "br" })],
      seconds: 8.1,
    })
    const period = childrenNamed(parse(text), "Period")[0]
    const [video, audio] = childrenNamed(period, "AdaptationSet")
    assert.strictEqual(childrenNamed(audio, "Label")[0]?.text, '</Label><a b="&">')
    assert.strictEqual(audio?.attributes["lang"], "br")
    const [template] = childrenNamed(childrenNamed(video, "Representation")[0], "SegmentTemplate")
    const runs = childrenNamed(childrenNamed(template, "SegmentTimeline")[0], "S").map(({ attributes }) => attributes)
    assert.deepStrictEqual(runs, [{ t: "0", d: "360000", r: "1" }, { d: "9000" }])
  })
})

describe("Storyboard", () => {
  const rendition = { name: "360p", width: 640, height: 360, kilobits: 800 }

  it("has about a hundred pictures, none closer than a second", () => {
    for (const [seconds, interval] of [
      [0.04, 1],
      [12, 1],
      [180, 2],
      [3600, 10],
      [43_200, 10],
    ] as const) {
      assert.strictEqual(Storyboard.plan(rendition, seconds).interval, interval)
    }
  })

  it("gives every cue its place, on to the next sprite", () => {
    const board = Storyboard.plan(rendition, 1200)
    const cues = Storyboard.render(board, 1199.9, 1200).split("\n\n").slice(1)
    assert.strictEqual(cues.length, 120)
    assert.include(cues[0], "00:00:00.000 --> 00:00:10.000\nstoryboard/000.jpg#xywh=0,0,160,90")
    assert.include(cues[99], "storyboard/000.jpg#xywh=1440,810,160,90")
    assert.include(cues[100], "00:16:40.000 --> 00:16:50.000\nstoryboard/001.jpg#xywh=0,0,160,90")
    assert.strictEqual(Storyboard.spriteCount(board, 1199.9), 2)
  })

  it("keeps portrait pictures upright and ribbons visible", () => {
    assert.deepInclude(Storyboard.plan({ ...rendition, width: 360, height: 640 }, 9), { width: 90, height: 160 })
    assert.deepInclude(Storyboard.plan({ ...rendition, width: 4000, height: 16 }, 9), { width: 160, height: 2 })
  })
})
