import * as TimedText from "@armoricore/domain/TimedText"
import { canonicalLanguage } from "@armoricore/domain/CaptionTrack"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"

const cuesOf = (file: string) => Result.getOrElse(TimedText.parse(file), () => [])
const faultOf = (file: string) => {
  const parsed = TimedText.parse(file)
  return Result.isFailure(parsed) ? `${parsed.failure.line}: ${parsed.failure.message}` : "none"
}

describe("TimedText", () => {
  it("reads SubRip with its tags, positions, BOM and line ends", () => {
    const file =
      '\uFEFF1\r\n00:00:01,5 --> 00:00:03,000\r\n<font color="red">Hello</font> <I>you</I> & me\r\n\r\n' +
      "2\r\n00:00:00,000 --> 00:00:00,900 X1:1 X2:2\r\n{\\an8}a < b --> c\r\n\r\n3\r\n00:01:00,000 --> 00:01:01,000\r\n\r\n"
    assert.strictEqual(
      TimedText.render(cuesOf(file)),
      "WEBVTT\n\n00:00:00.000 --> 00:00:00.900 line:0\na &lt; b → c\n\n00:00:01.500 --> 00:00:03.000\nHello <i>you</i> &amp; me\n",
    )
  })

  it("reads WebVTT: settings, voices and classes stay, comments, styles and unknown tags go", () => {
    const file =
      "WEBVTT - title\nX: y\n\nSTYLE\n::cue { color: red }\n\nNOTE\nlost\n\nid 1\n01:02.000 --> 01:03.500 line:0 align:start evil:1\n" +
      "<v Ann>Hi <c.loud>you</c> <script>x</script> &amp; <00:01:02.500>there\n"
    assert.strictEqual(
      TimedText.render(cuesOf(file), "X-TIMESTAMP-MAP=MPEGTS:0\n"),
      "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0\n\n00:01:02.000 --> 00:01:03.500 line:0 align:start\n" +
        "<v Ann>Hi <c.loud>you</c> x &amp; <00:01:02.500>there\n",
    )
    // What it writes it reads.
    assert.deepStrictEqual(cuesOf(TimedText.render(cuesOf(file))), cuesOf(file))
  })

  it("a fault names its line and the value", () => {
    assert.match(faultOf("1\n00:00:05,000 --> 00:00:04,000\nx\n"), /^2: the cue ends before it begins/)
    assert.match(faultOf("WEBVTT\n\n00:00:01 --> 00:00:02\nx\n"), /^3: "00:00:01 --> 00:00:02" has no valid times/)
    assert.match(faultOf("WEBVTT\n\n00:75.000 --> 01:80.000\nx\n"), /^3: .*no valid times/)
    assert.match(faultOf("<html>\n<body>\n"), /^1: "<html>" is no cue/)
    assert.strictEqual(faultOf("WEBVTT\n\n"), "1: the file has no cues")
    assert.strictEqual(faultOf(""), "1: the file has no cues")
    assert.match(faultOf(`1\n00:00:01,000 --> 00:00:02,000\n${"x".repeat(3_000)}\n`), /^2: the cue has 3000 characters/)
  })

  it("leaves out faulty cues alone where it is asked to", () => {
    const file =
      "WEBVTT\n\n00:01.000 --> 00:02.000\na\n\nrest of a\n\n00:03.000 --> 00:03.000\nb\n\n00:04.000 --> 00:05.000\nc\n"
    const faults: Array<string> = []
    const parsed = TimedText.parse(file, ({ line, message }) => faults.push(`${line}: ${message}`))
    assert.deepStrictEqual(
      Result.getOrElse(parsed, () => []).map(({ text }) => text),
      ["a", "c"],
    )
    assert.lengthOf(faults, 2)
    assert.match(faults.join("\n"), /^6: "rest of a" is no cue.*\n8: the cue ends before it begins$/)
  })

  it("shifts cues and leaves out what is outside the stream", () => {
    const cues = cuesOf(
      "WEBVTT\n\n00:01.000 --> 00:02.000\na\n\n00:09.000 --> 00:20.000\nb\n\n00:11.000 --> 00:12.000\nc\n",
    )
    const fitted = TimedText.fit(cues, -1.5, 9)
    assert.deepStrictEqual(
      fitted.map(({ end, start, text }) => [start, end, text]),
      [
        [0, 0.5, "a"],
        [7.5, 9, "b"],
      ],
    )
  })

  it("knows languages from other text", () => {
    assert.strictEqual(canonicalLanguage("pt-br"), "pt-BR")
    for (const text of ["", "german", "de_DE", "../x", 'de"', "x".repeat(50)])
      assert.isUndefined(canonicalLanguage(text))
  })
})
