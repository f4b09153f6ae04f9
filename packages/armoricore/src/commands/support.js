/** Combinators that commands share: adapters, the operator API, and a clean exit on a signal. */
import { Tokens } from "@armoricore/auth/Tokens";
import { OperatorClient } from "@armoricore/operator/OperatorClient";
import { DeadLetters } from "@armoricore/worker/dead-letters/DeadLetters";
import { Ledger } from "@armoricore/worker/ledger/Ledger";
import { Clock, Console, Duration, Effect, Layer, Option, Redacted, SchemaIssue } from "effect";
import { Flag } from "effect/cli";
import { RpcClientError } from "effect/rpc";
import { CommandFailed, ExitCode } from "../app/CommandErrors.ts";
import { Contexts } from "../app/Contexts.ts";
import { workSchemas } from "../app/Services.ts";
import { Settings } from "../settings/Settings.ts";
import * as Adapters from "../wiring/Adapters.ts";
const adapters = DeadLetters.layer.pipe(Layer.provide([Ledger.layer, workSchemas]), Layer.provideMerge(Adapters.layer("shared")));
/** Provides the ports. On the embedded engine the command shares the data folder of a running program. */
export const withAdapters = Effect.provide(adapters);
/** Sets exit code 0 for a command that a signal interrupts: it exits only after it drained. */
export const withGracefulExit = (self) => Effect.onInterrupt(self, () => Effect.sync(() => {
    process.exitCode = 0;
}));
const consoleTokenTtl = Duration.hours(12);
/**
 * Prints a link to the operator console that includes a token, but only on a terminal, where no log collector stores it,
 * and only while the program signs with a generated secret (development). The token is in the URL fragment, which
 * browsers never send to a server or proxy.
 */
export const printConsoleLink = Effect.fnUntraced(function* (url) {
    const { JWT_JWKS_URL, JWT_PUBLIC_KEY, JWT_SECRET } = yield* Settings;
    const isDevelopment = [JWT_SECRET, JWT_JWKS_URL, JWT_PUBLIC_KEY].every((keys) => keys === undefined);
    if (!isDevelopment || !process.stdout.isTTY)
        return yield* printStartLine(`The console: ${url}/console`);
    const token = yield* Effect.flatMap(Tokens, (tokens) => tokens.sign({ userId: "operator", roles: ["operator"], ttl: consoleTokenTtl })).pipe(Effect.provide(Adapters.tokens));
    yield* Console.log(`The console: ${url}/console#token=${token}`);
});
/** One line on stdout, which among JSON logs is JSON as well. It does not depend on the log level. */
export const printStartLine = Effect.fnUntraced(function* (message) {
    const { LOG_FORMAT } = yield* Settings;
    if ((LOG_FORMAT ?? (process.stdout.isTTY ? "pretty" : "json")) === "pretty")
        return yield* Console.log(message);
    const timestamp = new Date(yield* Clock.currentTimeMillis).toISOString();
    yield* Console.log(JSON.stringify({ timestamp, level: "info", message }));
});
/** A wrong argument that only the running command can recognise: one line, and the exit code of usage errors. */
export const usageFailure = (message) => Effect.andThen(Console.error(`armoricore: ${message}`), new ExitCode({ code: 2 }));
export const operatorApiFlags = {
    url: Flag.String("url").pipe(Flag.withDescription("URL of the running installation (default: PUBLIC_URL, or HOST and PORT)"), Flag.withMetavar("URL"), Flag.optional),
    token: Flag.String("token").pipe(Flag.withDescription("a token with the role operator (default: one signed with JWT_SECRET)"), Flag.withMetavar("JWT"), Flag.optional),
    context: Flag.String("context").pipe(Flag.withDescription("URL and token of this context; see armoricore operator add-context"), Flag.withMetavar("NAME"), Flag.optional),
};
/** True: the command calls the operator API instead of using the bus and the state directly. */
export const isRemote = ({ context, url }) => Option.isSome(url) || Option.isSome(context);
const operatorTokenTtl = Duration.minutes(10);
const signOperatorToken = Effect.gen(function* () {
    const tokens = yield* Tokens;
    return yield* tokens.sign({ userId: "armoricore-cli", roles: ["operator"], ttl: operatorTokenTtl });
}).pipe(Effect.provide(Adapters.tokens));
/** `--url` and `--token` win over the context. */
const resolveTarget = Effect.fnUntraced(function* ({ context, token, url }) {
    const { HOST, PORT, PUBLIC_URL } = yield* Settings;
    const host = HOST === "0.0.0.0" || HOST === "::" ? "127.0.0.1" : HOST;
    const named = Option.isNone(context)
        ? undefined
        : yield* Effect.flatMap(Contexts, ({ get }) => get(context.value)).pipe(Effect.provide(Contexts.layer));
    return {
        url: Option.getOrElse(url, () => named?.url ?? PUBLIC_URL ?? `http://${host}:${PORT}`),
        token: Option.orElse(token, () => named?.token ?? Option.none()),
    };
});
/** A client of the operator API at `target`. */
export const operatorClient = (target) => Layer.unwrap(Effect.gen(function* () {
    const { token, url } = yield* resolveTarget(target);
    return OperatorClient.layer({
        url,
        token: Redacted.make(Option.isSome(token) ? token.value : yield* signOperatorToken),
    });
}));
/** Provides the operator API, and turns usage errors and connection failures into one-line messages. */
export const withOperatorApi = (effect, target) => effect.pipe(Effect.catchDefect((defect) => usageError(defect) ?? Effect.die(defect)), Effect.catchIf(isConnectionError, () => Effect.flatMap(resolveTarget(target), ({ url }) => new CommandFailed({ message: noOperatorApi(`at ${url}`) }))), Effect.provide(operatorClient(target)));
/** The client validates arguments before it sends them, and dies with the schema error. */
const usageError = (defect) => defect instanceof Error && SchemaIssue.isIssue(defect.cause)
    ? new CommandFailed({ message: formatIssue(defect.cause) })
    : undefined;
const formatIssue = SchemaIssue.makeFormatterDefault();
export const isConnectionError = (error) => error instanceof RpcClientError.RpcClientError;
export const noOperatorApi = (location) => `No operator API ${location}. Point --url at a process that runs the realtime service.`;
