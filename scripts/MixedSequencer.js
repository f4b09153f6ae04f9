/**
 * The order of the test files of a run. Some packages need the cores (encodes, programs that start), others wait for
 * servers and timers; one package after the other leaves the cores idle for minutes. Files that have a process of their
 * own and slow ones are mixed, the longest first; then come those that share processes, one package after the other.
 */
import { statSync } from "node:fs";
import { BaseSequencer } from "vitest/node";
/** Seconds of the slowest files on two cores; CONTRIBUTING.md says why they are slow. Others count by their size. */
export const slowFiles = {
    "bus/test/rabbitmq/RabbitBus.test.ts": 90,
    "repo/packing.test.ts": 87,
    "media/test/pipeline/LongClips.test.ts": 84,
    "media/test/packaging/OutputQuality.test.ts": 80,
    "media/test/chunked/ChunkedEncode.test.ts": 75,
    "notify/test/delivery/KillRecovery.test.ts": 70,
    "armoricore/test/e2e/OperatorAcrossNodes.test.ts": 66,
    "media/test/passthrough/Passthrough.test.ts": 60,
    "media/test/pipeline/EdgeCaseInputs.test.ts": 53,
    "armoricore/test/e2e/OperatorConsole.test.ts": 50,
    "armoricore/test/e2e/OperatorConsoleLoad.test.ts": 47,
    "ffmpeg/test/Ffmpeg.test.ts": 43,
    "armoricore/test/Cli.test.ts": 40,
    "armoricore/test/e2e/RedactedCredentials.test.ts": 40,
    "media/test/chunked/AudioCheckpoint.test.ts": 40,
    "media/test/chunked/ChunkService.test.ts": 40,
    "realtime/test/cluster/NatsCluster.test.ts": 36,
    "repo/upgrade.test.ts": 30,
    "repo/ProcessTree.test.ts": 30,
};
/** How long a file of this size takes, for the order only. */
const bytesPerSecond = 1_500;
const keyOf = ({ moduleId, project }) => `${project.name}/${moduleId.slice(project.config.root.length + 1)}`;
const secondsOf = (spec) => slowFiles[keyOf(spec)] ?? statSync(spec.moduleId).size / bytesPerSecond;
const longestFirst = (specs) => specs.toSorted((a, b) => secondsOf(b) - secondsOf(a));
/** Joins lists so that each is used up at the same rate, by the estimated time. */
const mix = (lists) => lists
    .flatMap((list) => {
    const total = list.reduce((sum, spec) => sum + secondsOf(spec), 0);
    let before = 0;
    return longestFirst(list).map((spec) => {
        const at = before / total;
        before += secondsOf(spec);
        return { spec, at };
    });
})
    .toSorted((a, b) => a.at - b.at)
    .map(({ spec }) => spec);
export class MixedSequencer extends BaseSequencer {
    sort(files) {
        const isMixed = (spec) => spec.project.config.isolate || keyOf(spec) in slowFiles;
        const byProject = (specs) => [
            ...Map.groupBy(specs, ({ project }) => project.name).values(),
        ];
        return Promise.resolve([
            ...mix(byProject(files.filter(isMixed))),
            ...byProject(files.filter((spec) => !isMixed(spec))).flatMap(longestFirst),
        ]);
    }
}
