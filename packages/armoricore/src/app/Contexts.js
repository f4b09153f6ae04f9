/**
 * Named installations for `--context`: URL and token of each, in `$XDG_CONFIG_HOME/armoricore/contexts.json` (default
 * `~/.config`). The file may contain tokens, so only its owner can read it.
 */
import { Config, Context, Effect, FileSystem, Layer, Option, Path, Schema } from "effect";
import { CommandFailed } from "./CommandErrors.ts";
export const InstallationContext = Schema.Struct({
    url: Schema.String,
    /** A token with the role operator. Without `token` and `token_file`, one is signed with JWT_SECRET. */
    token: Schema.optionalKey(Schema.String),
    /** A file that contains the token; it is read at each use. */
    token_file: Schema.optionalKey(Schema.String),
});
const ContextsFile = Schema.Struct({ contexts: Schema.Record(Schema.String, InstallationContext) });
const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(ContextsFile));
export class Contexts extends Context.Service()("armoricore/Contexts") {
    static layer = Layer.effect(Contexts, Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem;
        const { dirname, join } = yield* Path.Path;
        const home = yield* Config.String("HOME").pipe(Config.withDefault("."));
        const folder = yield* Config.String("XDG_CONFIG_HOME").pipe(Config.withDefault(join(home, ".config")));
        const path = join(folder, "armoricore", "contexts.json");
        const all = Effect.gen(function* () {
            const text = yield* fs.readFileString(path).pipe(Effect.catchIf(({ reason }) => reason._tag === "NotFound", () => Effect.succeed('{"contexts":{}}')), Effect.mapError(({ message }) => new CommandFailed({ message: `cannot read ${path}: ${message}` })));
            const file = yield* Effect.mapError(decode(text), ({ message }) => new CommandFailed({ message: `${path} is not a file of contexts: ${message}` }));
            return file.contexts;
        });
        const unknown = (name, contexts) => {
            const names = Object.keys(contexts);
            const known = names.length === 0 ? `${path} has none` : `${path} has ${names.join(", ")}`;
            return new CommandFailed({
                message: `no context ${name}: ${known}; add it with armoricore operator add-context ${name} --url URL`,
            });
        };
        const find = Effect.fnUntraced(function* (name) {
            const contexts = yield* all;
            const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
            return context ?? (yield* unknown(name, contexts));
        });
        /** A reader never finds half a file, and it is private before it has content. */
        const write = (contexts) => Effect.gen(function* () {
            yield* fs.makeDirectory(dirname(path), { recursive: true, mode: 0o700 });
            const temporary = `${path}.${process.pid}`;
            yield* fs.writeFileString(temporary, `${JSON.stringify({ contexts }, null, 2)}\n`, { mode: 0o600 });
            yield* fs.rename(temporary, path);
        }).pipe(Effect.mapError(({ message }) => new CommandFailed({ message: `cannot write ${path}: ${message}` })));
        return Contexts.of({
            path,
            all,
            get: Effect.fn("Contexts.get")(function* (name) {
                const { token, token_file, url } = yield* find(name);
                if (token_file === undefined)
                    return { url, token: Option.fromUndefinedOr(token) };
                const text = yield* Effect.mapError(fs.readFileString(token_file), () => new CommandFailed({ message: `cannot read the token of the context ${name} from ${token_file}` }));
                return { url, token: Option.some(text.trim()) };
            }),
            put: Effect.fn("Contexts.put")(function* (name, context) {
                yield* write({ ...(yield* all), [name]: context });
            }),
            remove: Effect.fn("Contexts.remove")(function* (name) {
                yield* find(name);
                const { [name]: _removed, ...others } = yield* all;
                yield* write(others);
            }),
        });
    }));
}
