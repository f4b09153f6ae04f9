/** The command line: the root command, its subcommands, and the format of usage errors. */
import * as NodeServices from "@effect/platform-node/NodeServices";
import { Console, Effect, Layer } from "effect";
import { CliConfig, CliOutput, Command, Completions, Flag, GlobalFlag } from "effect/cli";
import { reportFailure } from "./app/CommandErrors.ts";
import { version } from "./Version.ts";
const Debug = GlobalFlag.Setting("debug")({
    flag: Flag.Boolean("debug").pipe(Flag.withDescription("print stack traces; LOG_LEVEL=debug does the same"), Flag.withDefault(false)),
});
const root = Command.make("armoricore").pipe(Command.withDescription("Media, notifications, captions and real-time communication as one program"), Command.withGlobalFlags([Debug]));
/**
 * One subcommand. Most of them load a whole service, so a module is loaded only for the command that runs, for its own
 * help, and for shell completions.
 */
const subcommand = (description, load) => ({
    description,
    load,
    run: (args) => Effect.flatMap(Effect.promise(load), (command) => runCommand(Command.withSubcommands(root, [Command.withDescription(command, description)]), args)),
});
const runCommand = (command, args) => Command.runWith(command, { version })(args);
const subcommands = {
    start: subcommand("Runs services until SIGTERM, then drains them", async () => (await import("./commands/start.ts")).start),
    setup: subcommand("Creates or checks streams, queues and buckets, then exits", async () => (await import("./commands/setup.ts")).setup),
    demo: subcommand("Follows a video from upload to playback on embedded defaults", async () => (await import("./commands/demo.ts")).demo),
    "check-config": subcommand("Prints the effective configuration without secrets, or every error in it", async () => (await import("./commands/check-config.ts")).checkConfig),
    doctor: subcommand("Checks ffmpeg, bus, state, storage, tokens and the speech engine, and prints how to fix problems", async () => (await import("./commands/doctor.ts")).doctor),
    token: subcommand("Prints a token signed with JWT_SECRET", async () => (await import("./commands/token.ts")).token),
    publish: subcommand("Validates an event and publishes it; prints its id", async () => (await import("./commands/publish.ts")).publish),
    "dead-letters": subcommand("Manages the dead letters of every service", async () => (await import("./commands/dead-letters.ts")).deadLetters),
    suppressions: subcommand("Manages the suppression list of e-mail", async () => (await import("./commands/suppressions.ts")).suppressions),
    operator: subcommand("Inspects and controls a running installation, like the console at /console", async () => (await import("./commands/operator.ts")).operator),
};
/** Prints a usage error as one line. Only `--help` prints the whole help. */
const presenter = CliOutput.layerPresenter({
    present: (event) => event._tag === "InvalidInvocation"
        ? Console.error(`armoricore: ${event.errors.map((error) => error.message.replaceAll(/\s*\n\s*/g, " ")).join("; ")} (see ${event.commandPath.join(" ")} --help)`)
        : CliOutput.defaultPresenter.present(event),
});
const cliConfig = CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] });
/** Turns `--ttl -1h` into `--ttl=-1h`; otherwise `-1h` would be parsed as the short flags `-1` and `-h`. */
const joinNegativeValues = (args) => args.reduce((joined, arg) => {
    const flag = joined.at(-1);
    return /^-[0-9]/.test(arg) && flag !== undefined && /^--[a-z-]+$/.test(flag)
        ? [...joined.slice(0, -1), `${flag}=${arg}`]
        : [...joined, arg];
}, []);
/** Names and descriptions only: for the help of the program, and for the error about an unknown command. */
const overview = Command.withSubcommands(root, Object.entries(subcommands).map(([name, { description }]) => Command.withDescription(Command.make(name), description)));
/** A completion script names the flags of every command, so all of them are loaded. */
const completions = (shell) => Effect.flatMap(Effect.promise(() => Promise.all(Object.values(subcommands).map(({ load }) => load()))), (commands) => Console.log(Completions.generate("armoricore", shell, Completions.fromCommand(Command.withSubcommands(root, commands)))));
const shells = new Map([
    ["bash", "bash"],
    ["sh", "bash"],
    ["zsh", "zsh"],
    ["fish", "fish"],
    ["powershell", "powershell"],
    ["pwsh", "powershell"],
]);
const select = (args) => {
    const name = args.find((arg) => !arg.startsWith("-"));
    if (name !== undefined && Object.hasOwn(subcommands, name))
        return subcommands[name]?.run(args) ?? Effect.void;
    const shell = shells.get(/^--completions[= ](.+)$/.exec(args.join(" "))?.[1] ?? "");
    return shell === undefined ? runCommand(overview, args) : completions(shell);
};
/** Runs one command line. A failure is reported, also that of a module that does not load, and becomes an `ExitCode`. */
export const runCommandLine = (commandLine) => {
    const args = joinNegativeValues(commandLine);
    const isVerbose = args.includes("--debug") || /^(debug|trace)$/.test(process.env["LOG_LEVEL"] ?? "");
    return select(args).pipe(Effect.catchCause(reportFailure(isVerbose)), Effect.provide(Layer.mergeAll(NodeServices.layer, presenter, cliConfig)));
};
