/** The command line: the root command, its subcommands, and the format of usage errors. */
import { NodeServices } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { CliConfig, CliOutput, Command, Flag, GlobalFlag } from "effect/cli"
import { checkConfig } from "./commands/check-config.ts"
import { deadLetters } from "./commands/dead-letters.ts"
import { demo } from "./commands/demo.ts"
import { doctor } from "./commands/doctor.ts"
import { operator } from "./commands/operator.ts"
import { publish } from "./commands/publish.ts"
import { setup } from "./commands/setup.ts"
import { start } from "./commands/start.ts"
import { token } from "./commands/token.ts"
import { reportFailure } from "./app/CommandErrors.ts"
import { version } from "./Version.ts"

const Debug = GlobalFlag.Setting("debug")({
  flag: Flag.Boolean("debug").pipe(
    Flag.withDescription("print stack traces; LOG_LEVEL=debug does the same"),
    Flag.withDefault(false),
  ),
})

const root = Command.make("armoricore").pipe(
  Command.withDescription("Media, notifications, captions and real-time communication as one program"),
  Command.withGlobalFlags([Debug]),
  Command.withSubcommands([start, setup, demo, checkConfig, doctor, token, publish, deadLetters, operator]),
)

/** Prints a usage error as one line. Only `--help` prints the whole help. */
const presenter = CliOutput.layerPresenter({
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Console.error(
          `armoricore: ${event.errors.map((error) => error.message.replaceAll(/\s*\n\s*/g, " ")).join("; ")} (see ${event.commandPath.join(" ")} --help)`,
        )
      : CliOutput.defaultPresenter.present(event),
})

const cliConfig = CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })

/** Turns `--ttl -1h` into `--ttl=-1h`; otherwise `-1h` would be parsed as the short flags `-1` and `-h`. */
const joinNegativeValues = (args: ReadonlyArray<string>): ReadonlyArray<string> =>
  args.reduce<ReadonlyArray<string>>((joined, arg) => {
    const flag = joined.at(-1)
    return /^-[0-9]/.test(arg) && flag !== undefined && /^--[a-z-]+$/.test(flag)
      ? [...joined.slice(0, -1), `${flag}=${arg}`]
      : [...joined, arg]
  }, [])

/** Runs one command line. A failure is an `ExitCode`. */
export const runCommandLine = (args: ReadonlyArray<string>) =>
  Command.runWith(root, { version })(joinNegativeValues(args)).pipe(
    Effect.catchCause(
      reportFailure(args.includes("--debug") || /^(debug|trace)$/.test(process.env["LOG_LEVEL"] ?? "")),
    ),
    Effect.provide(Layer.mergeAll(NodeServices.layer, presenter, cliConfig)),
  )
