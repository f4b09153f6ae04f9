/**
 * Errors of commands. An error is one line on stderr, with exit code 1 for a failure and 2 for a usage error. `--debug`
 * and `LOG_LEVEL=debug` print the stack trace as well.
 */
import { Cause, Console, Effect, Option, Runtime, Schema } from "effect";
/** A command failed. `message` is one sentence with the problem and its solution. */
export class CommandFailed extends Schema.TaggedError()("CommandFailed", {
    message: Schema.String,
}) {
}
/** Ends the program with this code. The command has printed its messages already. */
export class ExitCode extends Schema.TaggedError()("ExitCode", { code: Schema.Int }) {
    [Runtime.errorExitCode] = this.code;
}
const singleLineMessage = (error) => {
    if (error instanceof Error && error.message !== "")
        return error.message.replaceAll(/\s*\n\s*/g, " ");
    return String(error);
};
const isUsageError = (error) => typeof error === "object" && error !== null && "_tag" in error && error._tag === "ShowHelp";
/** Prints why the command failed on stderr, and converts the failure to an exit code. */
export const reportFailure = (debug) => (cause) => Effect.gen(function* () {
    if (Cause.hasInterruptsOnly(cause))
        return yield* Effect.interrupt;
    const error = Option.getOrUndefined(Cause.findErrorOption(cause));
    if (error instanceof ExitCode)
        return yield* error;
    // The presenter has already printed the usage error.
    if (isUsageError(error))
        return yield* new ExitCode({ code: 2 });
    yield* Console.error(debug ? Cause.pretty(cause) : `armoricore: ${singleLineMessage(error ?? Cause.squash(cause))}`);
    return yield* new ExitCode({ code: 1 });
});
