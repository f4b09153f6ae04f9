import * as PacketTimes from "@armoricore/media/probe/PacketTimes"
import { defaultInputLimits, probe } from "@armoricore/media/probe/Probe"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, FileSystem, Path } from "effect"
import { ffmpeg } from "../support/Clips.ts"
import { isFfmpegMissing, programs } from "../support/Pipeline.ts"

const of = (times: PacketTimes.PacketTimes, lines: ReadonlyArray<string>) => {
  lines.forEach(times.add)
  return times.seconds()
}

describe("PacketTimes", () => {
  it("measures from the start of the file to the end of its last packet", () => {
    const lines = ["100.04,100.00,0.04", "100.08,100.04,0.04", "100.00,100.08,0.04", "101.96,100.12,0.04", ""]
    assert.closeTo(of(PacketTimes.lastPacketEnd(100), lines) ?? 0, 2, 1e-9)
    assert.closeTo(of(PacketTimes.lastPacketEnd(0), lines) ?? 0, 102, 1e-9)
    assert.closeTo(of(PacketTimes.lastPacketEnd(-1), ["-1,-1,0.5", "0,0,0.5"]) ?? 0, 1.5, 1e-9)
    assert.isUndefined(of(PacketTimes.lastPacketEnd(0), ["N/A,N/A,N/A"]))
  })

  it("excludes the jumps of a clock that was reset", () => {
    const lines = ["0,0,0.5", "0.5,0.5,0.5", "5000,5000,0.5", "5000.5,5000.5,0.5", "3,3,0.5"]
    assert.closeTo(of(PacketTimes.decodedDuration(), lines) ?? 0, 2, 1e-9)
  })
})

describe.skipIf(isFfmpegMissing)("Probe", () => {
  layer(programs, { excludeTestServices: true })((it) => {
    it.effect("measures all packets of a recording without a stated duration", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = yield* Path.Path
        const folder = yield* fs.makeTempDirectoryScoped()
        const file = path.join(folder, "memo.mkv")
        // regression: only the first packets were measured. This has as many as two hours of a browser's recorder.
        const audio = "-f lavfi -i anullsrc=r=8000:cl=mono -t 600 -c:a flac -frame_size 16 -live 1"
        yield* ffmpeg([...audio.split(" "), file])
        const { size } = yield* fs.stat(file)
        const info = yield* probe("memo.mkv", Number(size), folder, defaultInputLimits)
        assert.closeTo(info.mainDuration, 600, 0.1)
      }),
    )
  })
})
