/** What a source carries beside its main picture and sound: subtitles, chapters, described and commented audio. */
import * as Ttml from "@armoricore/media/captions/Ttml"
import { UploadPipeline } from "@armoricore/media/pipeline/UploadPipeline"
import { assert, describe, layer } from "@effect/vitest"
import { Effect, FileSystem, Path, Result } from "effect"
import { ffmpeg, h264, subtitles, testVideo } from "../support/Clips.ts"
import { run } from "../support/RunFfmpeg.ts"
import { check } from "../support/StreamChecker.ts"
import { concatTrack } from "../support/Tracks.ts"
import { fetchAll, isFfmpegMissing, pipeline, prefixOf, storeUpload, uploaded } from "../support/Pipeline.ts"

const words = (text: string) => text.split(" ")
const srt = (text: string, at = "00:00:01,000 --> 00:00:01,800") => `1\n${at}\n${text}\n`
/** They overlap, and two begin together. */
const chapters = [
  ";FFMETADATA1",
  "START=0\nEND=1400\ntitle=Intro",
  "START=1000\nEND=9000",
  "START=1000\nEND=1200\ntitle=Short",
].join("\n[CHAPTER]\nTIMEBASE=1/1000\n")
/** Text, the outline of a shape, and a cue without a length, as authors of ASS write them. */
const dialogue = [
  srt("Hallo & <i>du</i>"),
  srt("m 0 0 l 100 0 100 -9.5 l 0 100"),
  srt("x", "00:00:01,900 --> 00:00:01,900"),
].join("\n")

describe.skipIf(isFfmpegMissing)("Tracks of the source", () => {
  layer(pipeline({ ladder: [{ shortSide: 48, kilobits: 100 }], thumbnails: 1, storyboard: false }), {
    excludeTestServices: true,
    timeout: "60 seconds",
  })((it) => {
    it.effect("subtitles, chapters, audio description and commentary reach both manifests with their flags", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = yield* Path.Path
        const folder = yield* fs.makeTempDirectoryScoped()
        yield* fs.writeFileString(path.join(folder, "chapters.txt"), chapters)
        const source = path.join(folder, "film.mkv")
        yield* ffmpeg([
          ...testVideo({ size: "64x48", rate: "25", seconds: 2 }),
          ...["440", "550", "660"].flatMap((hertz) => ["-f", "lavfi", "-i", `sine=${hertz}:d=2`]),
          ...subtitles(dialogue),
          ...subtitles(srt("[door]")),
          ...subtitles(srt("Sign")),
          ...subtitles(srt("late", "00:01:00,000 --> 00:01:01,000")),
          "-f",
          "ffmetadata",
          "-i",
          path.join(folder, "chapters.txt"),
          "-map_chapters",
          "8",
          ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((input) => ["-map", String(input)]),
          ...words("-metadata:s:s:0 language=ger -metadata:s:s:1 language=eng -metadata:s:s:2 language=eng"),
          ...words("-disposition:s:1 hearing_impaired -disposition:s:2 forced"),
          ...words("-metadata:s:a:0 language=eng -metadata:s:a:1 language=eng -metadata:s:a:2 language=eng"),
          ...words("-disposition:a:0 visual_impaired -disposition:a:1 0 -disposition:a:2 comment"),
          ...h264,
          ...words("-c:a aac -ac:a:1 6 -c:s:0 ass -c:s:1 srt -c:s:2 webvtt -c:s:3 srt -t 2"),
          source,
        ])
        const { processUpload } = yield* UploadPipeline
        const outcome = yield* processUpload(uploaded("film", yield* storeUpload("uploads/film.mkv", source)), {
          fencingToken: 1,
        })
        if (outcome._tag !== "Ready") return yield* Effect.die(new Error(outcome._tag))
        const stream = path.join(folder, "stream")
        yield* fetchAll(prefixOf(outcome.ready), stream)
        const read = (name: string) => fs.readFileString(path.join(stream, name))

        const tags = (yield* read("master.m3u8")).split("\n").filter((line) => line.startsWith("#EXT-X-MEDIA"))
        const find = (...parts: ReadonlyArray<string>) =>
          tags.filter((tag) => parts.every((part) => tag.includes(part))).length
        assert.strictEqual(find("TYPE=SUBTITLES"), 3)
        assert.strictEqual(find('LANGUAGE="de"', "FORCED=NO", 'URI="subtitles/0/stream.m3u8"'), 1)
        assert.strictEqual(find('LANGUAGE="en"', "describes-music-and-sound", 'NAME="English (CC)"'), 1)
        assert.strictEqual(find('LANGUAGE="en"', "FORCED=YES", "AUTOSELECT=YES"), 1)
        // The first track is not the described one.
        assert.strictEqual(find("TYPE=AUDIO", 'NAME="English"', "DEFAULT=YES"), 1)
        assert.strictEqual(
          find("TYPE=AUDIO", "describes-video", "AUTOSELECT=YES", 'NAME="English (audio description)"'),
          1,
        )
        assert.strictEqual(find("TYPE=AUDIO", "AUTOSELECT=NO", 'NAME="English (commentary)"'), 1)
        // The stereo track is for every player, 5.1 one more choice.
        assert.strictEqual(find("TYPE=AUDIO", 'NAME="English 5.1"', "DEFAULT=NO", 'CHANNELS="6"'), 1)
        assert.strictEqual(find("TYPE=AUDIO", 'CHANNELS="2"'), 3)
        const surround = yield* concatTrack(stream, "audio-4")
        const entries = words("-v error -show_entries stream=channels,channel_layout -of csv=p=0")
        assert.strictEqual((yield* run("ffprobe", [...entries, surround])).stdout.trim(), "6,5.1")
        const { faults } = yield* check(stream)
        assert.deepStrictEqual(faults, [])
        assert.strictEqual((yield* read("master.m3u8")).match(/STREAM-INF.*SUBTITLES="subs"/g)?.length, 2)

        const vtt = yield* read("subtitles/0/00000.vtt")
        assert.match(
          vtt,
          /^WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:\d+,LOCAL:00:00:00.000\n\n00:00:01.000 --> 00:00:01.800\nHallo &amp; <i>du<\/i>\n$/,
        )
        const dash = yield* read("manifest.mpd")
        for (const role of ["subtitle", "caption", "forced-subtitle", "commentary", "description"])
          assert.include(dash, `value="${role}"`)
        assert.include(dash, 'AudioPurposeCS:2007" value="1"')
        assert.include(dash, 'audio_channel_configuration:2011" value="6"')

        assert.deepStrictEqual(outcome.ready.metadata["chapters"], [
          { start: 0, end: 1, title: "Intro" },
          { start: 1, end: 2, title: "Chapter 2" },
        ])
        assert.include(yield* read("master.m3u8"), 'DATA-ID="com.apple.hls.chapters",URI="chapters.json"')
        assert.include(yield* read("chapters.json"), '"start-time":1,"duration":1')
      }),
    )

    it.effect("TTML and mov_text in MP4 become captions, and italics stay", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = yield* Path.Path
        const folder = yield* fs.makeTempDirectoryScoped()
        const source = path.join(folder, "film.mp4")
        const picture = testVideo({ size: "64x48", rate: "25", seconds: 2 })
        yield* ffmpeg([
          ...picture,
          ...subtitles(srt("Hallo & du\nzwei")),
          ...words("-map 0 -map 1 -map 1"),
          ...h264,
          ...words("-c:s:0 ttml -c:s:1 mov_text -metadata:s:s:0 language=ger -metadata:s:s:1 language=fre"),
          source,
        ])
        const { processUpload } = yield* UploadPipeline
        const event = uploaded("ttml", yield* storeUpload("uploads/film.mp4", source))
        const outcome = yield* processUpload(event, { fencingToken: 1 })
        if (outcome._tag !== "Ready") return yield* Effect.die(new Error(outcome._tag))
        const stream = path.join(folder, "stream")
        yield* fetchAll(prefixOf(outcome.ready), stream)
        const vtt = yield* fs.readFileString(path.join(stream, "subtitles/0/captions.vtt"))
        assert.include(vtt, "00:00:01.000 --> 00:00:01.800\nHallo &amp; du\nzwei\n")
        const master = yield* fs.readFileString(path.join(stream, "master.m3u8"))
        assert.include(master, 'LANGUAGE="de"')
        assert.include(master, 'LANGUAGE="fr"')
        const movText = yield* fs.readFileString(path.join(stream, "subtitles/1/captions.vtt"))
        assert.include(movText, "00:00:01.000 --> 00:00:01.800\nHallo &amp; du\nzwei\n")
        const styled = Ttml.toWebVtt(
          '<tt:tt xmlns:tt="http://www.w3.org/ns/ttml" xmlns:s="http://www.w3.org/ns/ttml#styling"><tt:body begin="10s">' +
            '<tt:div><tt:p begin="1s" dur="2s">a <tt:span s:fontStyle="italic">b</tt:span><tt:br/>1 &lt; 2</tt:p></tt:div>' +
            "</tt:body></tt:tt>",
        )
        assert.deepStrictEqual(
          styled,
          Result.succeed("WEBVTT\n\n00:00:11.000 --> 00:00:13.000\na <i>b</i>\n1 &lt; 2\n"),
        )
        assert.isTrue(Result.isFailure(Ttml.toWebVtt("<tt><body><p></tt>")))
      }),
    )
  })
})
