/** Maps file system errors to one error per recovery decision. */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
/** Runs one file system operation. */
export const fileSystemCall = (step) => Effect.tryPromise({ try: step, catch: toStorageError });
/** A segment of the path does not exist, or is a file instead of a folder. */
export const isNotFound = (cause) => ["ENOENT", "ENOTDIR", "EISDIR"].includes(errorCode(cause));
export const toStorageError = (cause) => {
    const code = errorCode(cause);
    const said = cause instanceof Error ? cause.message : String(cause);
    if (["EACCES", "EPERM", "EROFS", "ENAMETOOLONG"].includes(code)) {
        return new ConfigurationError({
            setting: "ARMORICORE_DATA_DIR",
            message: `the folder of the objects cannot be used: ${said}`,
            cause,
        });
    }
    const full = ["ENOSPC", "EDQUOT"].includes(code);
    return new TransientError({
        dependency: "storage",
        code: full ? "full" : "unavailable",
        message: full
            ? "the disk of the object folder is full; free some space"
            : `the folder of the objects failed: ${said}`,
        cause,
    });
};
const errorCode = (cause) => cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "";
