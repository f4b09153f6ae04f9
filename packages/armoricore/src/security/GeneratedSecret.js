/**
 * Generates a random secret where none is configured, and stores it in the data folder, readable only by its owner. The
 * program has no default secrets.
 */
import { ConfigurationError } from "@armoricore/domain/Errors";
import { Effect, FileSystem, Path, Redacted } from "effect";
import { Settings } from "../settings/Settings.ts";
const randomSecret = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
/**
 * Creates parent folders one by one: Node's recursive mkdir never returns on file systems that reject a new folder with
 * "no such file" (`/proc`).
 */
const makePrivateDirectory = (folder) => Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem;
    if (yield* fs.exists(folder))
        return;
    const parent = (yield* Path.Path).dirname(folder);
    if (parent !== folder)
        yield* makePrivateDirectory(parent);
    yield* fs.makeDirectory(folder, { mode: 0o700 }).pipe(
    // Another process may create it at the same time.
    Effect.catchReason("PlatformError", "AlreadyExists", () => Effect.void));
});
/** Reads the secret of this name. Generates it first if it does not exist, and logs that without its value. */
export const generatedSecret = Effect.fnUntraced(function* (name, description) {
    const fs = yield* FileSystem.FileSystem;
    const { join } = yield* Path.Path;
    const folder = join((yield* Settings).ARMORICORE_DATA_DIR, "secrets");
    const file = join(folder, name);
    const read = fs.readFileString(file);
    return yield* Effect.gen(function* () {
        if (!(yield* fs.exists(file))) {
            yield* makePrivateDirectory(folder);
            const draft = `${file}.${crypto.randomUUID()}`;
            yield* fs.writeFileString(draft, randomSecret(), { mode: 0o600 });
            // A link fails if the file exists, so two processes that start together use the same secret.
            const isCreated = yield* fs.link(draft, file).pipe(Effect.as(true), Effect.catchReason("PlatformError", "AlreadyExists", () => Effect.succeed(false)));
            yield* fs.remove(draft);
            if (isCreated)
                yield* Effect.logInfo(`generated ${description} and stored it in ${file}`);
        }
        return Redacted.make(yield* read);
    }).pipe(Effect.mapError((cause) => new ConfigurationError({
        setting: "ARMORICORE_DATA_DIR",
        message: `ARMORICORE_DATA_DIR: cannot create or write ${folder}; name a folder that this user may write (${cause.message})`,
        cause,
    })));
});
