/**
 * The order of the test files of a run. Some packages need the cores (encodes, programs that start), others wait for
 * servers and timers; one package after the other leaves the cores idle for minutes. Files that have a process of their
 * own and slow ones are mixed, the longest first; then come those that share processes, one package after the other.
 */
import { statSync } from "node:fs"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Seconds of the slowest files on two cores; CONTRIBUTING.md says why they are slow. Others count by their size. */
export const slowFiles: Readonly<Record<string, number>> = {
  "repo/chaos.test.ts": 189,
  "bus/test/rabbitmq/RabbitBus.test.ts": 107,
  "media/test/packaging/OutputQuality.test.ts": 104,
  "media/test/pipeline/LongClips.test.ts": 104,
  "media/test/chunked/ChunkSources.test.ts": 102,
  "notify/test/delivery/KillRecovery.test.ts": 101,
  "media/test/chunked/ChunkedEncode.test.ts": 99,
  "armoricore/test/e2e/OperatorAcrossNodes.test.ts": 89,
  "repo/packing.test.ts": 85,
  "armoricore/test/erasure/CrashRecovery.test.ts": 85,
  "media/test/pipeline/UncommonInputs.test.ts": 73,
  "repo/soak.test.ts": 69,
  "media/test/pipeline/InputFormats.test.ts": 68,
  "armoricore/test/commands/Demo.test.ts": 60,
  "armoricore/test/e2e/RedactedCredentials.test.ts": 60,
  "media/test/pipeline/EdgeCaseInputs.test.ts": 59,
  "media/test/passthrough/Passthrough.test.ts": 56,
  "repo/upgrade.test.ts": 55,
  "media/test/encode/Codecs.test.ts": 53,
  "armoricore/test/demo/UploadPage.test.ts": 52,
  "ffmpeg/test/Ffmpeg.test.ts": 49,
  "media/test/packaging/ProvisionalPlayback.test.ts": 48,
  "media/test/chunked/ChunkWorkerCrash.test.ts": 45,
  "armoricore/test/e2e/OperatorConsoleLoad.test.ts": 45,
  "armoricore/test/e2e/CrashRecovery.test.ts": 45,
  "media/test/chunked/ChunkService.test.ts": 43,
  "realtime/test/cluster/NatsCluster.test.ts": 43,
  "media/test/pipeline/LargeUpload.test.ts": 43,
  "media/test/pipeline/UploadPipeline.test.ts": 42,
  "armoricore/test/e2e/OperatorConsole.test.ts": 42,
  "repo/ProcessTree.test.ts": 39,
  "media/test/pipeline/VersionPublisher.test.ts": 38,
  "media/test/pipeline/SourceTruth.test.ts": 38,
  "armoricore/test/demo/Notifications.test.ts": 36,
  "media/test/chunked/AudioCheckpoint.test.ts": 36,
  "armoricore/test/commands/DeadLetters.test.ts": 35,
  "media/test/packaging/PlaybackToEnd.test.ts": 35,
  "armoricore/test/demo/ChatAndComments.test.ts": 35,
  "armoricore/test/Cli.test.ts": 32,
}

/** How long a file of this size takes, for the order only. */
const bytesPerSecond = 1_500

const keyOf = ({ moduleId, project }: TestSpecification): string =>
  `${project.name}/${moduleId.slice(project.config.root.length + 1)}`

const secondsOf = (spec: TestSpecification): number =>
  slowFiles[keyOf(spec)] ?? statSync(spec.moduleId).size / bytesPerSecond

const longestFirst = (specs: ReadonlyArray<TestSpecification>) => specs.toSorted((a, b) => secondsOf(b) - secondsOf(a))

/** Joins lists so that each is used up at the same rate, by the estimated time. */
const mix = (lists: ReadonlyArray<ReadonlyArray<TestSpecification>>): ReadonlyArray<TestSpecification> =>
  lists
    .flatMap((list) => {
      const total = list.reduce((sum, spec) => sum + secondsOf(spec), 0)
      let before = 0
      return longestFirst(list).map((spec) => {
        const at = before / total
        before += secondsOf(spec)
        return { spec, at }
      })
    })
    .toSorted((a, b) => a.at - b.at)
    .map(({ spec }) => spec)

export class MixedSequencer extends BaseSequencer {
  override sort(files: Array<TestSpecification>) {
    const isMixed = (spec: TestSpecification) => spec.project.config.isolate || keyOf(spec) in slowFiles
    const byProject = (specs: ReadonlyArray<TestSpecification>) => [
      ...Map.groupBy(specs, ({ project }) => project.name).values(),
    ]
    return Promise.resolve([
      ...mix(byProject(files.filter(isMixed))),
      ...byProject(files.filter((spec) => !isMixed(spec))).flatMap(longestFirst),
    ])
  }
}
