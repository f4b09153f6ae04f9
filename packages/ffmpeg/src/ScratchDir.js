/**
 * Working folders for jobs. The scope of a job removes its folder. The next start of any process removes the folders of
 * processes that were killed. Processes of one machine may share the parent folder, machines may not.
 */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors";
import { Context, Effect, FileSystem, Layer, Path, PlatformError, Result } from "effect";
import { hostname, tmpdir } from "node:os";
export class ScratchDir extends Context.Service()("@armoricore/ffmpeg/ScratchDir") {
    /** `parent` defaults to the system's folder for temporary files. The layer creates it if it is missing. */
    static layer = (parent = tmpdir()) => Layer.effect(ScratchDir, Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem;
        const path = yield* Path.Path;
        const own = path.join(parent, `${dirPrefix}${process.pid}-${crypto.randomUUID()}`);
        yield* fs.makeDirectory(own, { recursive: true }).pipe(Effect.mapError(unusableError(parent)));
        liveDirs.add(own);
        yield* Effect.addFinalizer(() => Effect.andThen(Effect.ignore(fs.remove(own, { recursive: true, force: true })), Effect.sync(() => liveDirs.delete(own))));
        for (const name of yield* fs.readDirectory(parent).pipe(Effect.mapError(unusableError(parent)))) {
            const folder = path.join(parent, name);
            if (!name.startsWith(dirPrefix) || !isOrphaned(name, folder))
                continue;
            yield* Effect.logInfo("removing the work folder of a killed process", { folder });
            yield* Effect.ignore(fs.remove(folder, { recursive: true, force: true }));
        }
        return {
            make: fs.makeTempDirectoryScoped({ directory: own, prefix: "job-" }).pipe(Effect.mapError((cause) => new TransientError({
                dependency: "disk",
                code: "unavailable",
                message: "the server cannot create a work folder",
                cause,
            }))),
        };
    }));
}
/** With the host name, because a process id is only valid on its machine. */
const dirPrefix = `armoricore-work-${hostname().replaceAll(/[^A-Za-z0-9]/g, "")}-`;
/** The folders of this process. In a container the next process often gets the same id, so the id is not enough. */
const liveDirs = new Set();
const isOrphaned = (name, folder) => {
    const pid = Number.parseInt(name.slice(dirPrefix.length), 10);
    if (!Number.isInteger(pid))
        return false;
    if (pid === process.pid)
        return !liveDirs.has(folder);
    const signal = Result.try({ try: () => process.kill(pid, 0), catch: (cause) => cause });
    // EPERM: the process exists and belongs to another user.
    return Result.isFailure(signal) && signal.failure instanceof Error && !signal.failure.message.includes("EPERM");
};
const unusableError = (parent) => (cause) => new ConfigurationError({
    setting: "work folder",
    message: `The work folder ${parent} is not writable: give the process the right to write there, or name another folder.`,
    cause,
});
/** Turns errors of the file system into transient ones: another attempt, perhaps on another machine, may succeed. */
export const mapDiskErrors = (effect) => Effect.mapError(Effect.tapError(effect, (error) => error instanceof PlatformError.PlatformError
    ? Effect.logWarning(`The work folder failed: ${error.message}`)
    : Effect.void), (error) => error instanceof PlatformError.PlatformError
    ? new TransientError({
        dependency: "disk",
        code: "unavailable",
        // The person who uploaded the file gets the message, so it names no path.
        message: `the work folder of the server failed (${error.reason._tag})`,
        cause: error,
    })
    : // TypeScript does not narrow a type parameter; the test above excludes the class.
        error);
