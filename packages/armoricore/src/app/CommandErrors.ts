/**
 * How a command ends. Errors are one clear line on stderr; the exit code is 1 for what failed and 2 for a wrong use of
 * the program. The stack is shown with `--debug` or `LOG_LEVEL=debug`.
 */
import { Cause, Console, Effect, Option, Runtime, Schema } from "effect"
import type { CliError } from "effect/cli"

/** A command could not do what was asked; `message` is one sentence that says what to do. */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  message: Schema.String,
}) {}

/** The program ends with this code; whatever there was to say has been said. */
export class ExitCode extends Schema.TaggedError<ExitCode>()("ExitCode", { code: Schema.Int }) {
  override readonly [Runtime.errorExitCode] = this.code
}

const singleLineMessage = (error: unknown): string => {
  if (error instanceof Error && error.message !== "") return error.message.replaceAll(/\s*\n\s*/g, " ")
  return String(error)
}

const isUsageError = (error: unknown): error is CliError.CliError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "ShowHelp"

/** Says on stderr why the command failed and turns the failure into the exit code. */
export const reportFailure =
  (debug: boolean) =>
  <E>(cause: Cause.Cause<E>): Effect.Effect<never, ExitCode> =>
    Effect.gen(function* () {
      if (Cause.hasInterruptsOnly(cause)) return yield* Effect.interrupt
      const error = Option.getOrUndefined(Cause.findErrorOption(cause))
      if (error instanceof ExitCode) return yield* error
      // The presenter has told already what is wrong with the command line.
      if (isUsageError(error)) return yield* new ExitCode({ code: 2 })
      yield* Console.error(
        debug ? Cause.pretty(cause) : `armoricore: ${singleLineMessage(error ?? Cause.squash(cause))}`,
      )
      return yield* new ExitCode({ code: 1 })
    })
