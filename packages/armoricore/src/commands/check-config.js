/** `armoricore check-config`: prints the effective configuration, or every error in it. */
import { Console, Effect } from "effect";
import { Command } from "effect/cli";
import { ExitCode } from "../app/CommandErrors.ts";
import { describe, Settings } from "../settings/Settings.ts";
export const checkConfig = Command.make("check-config", {}, () => Settings.pipe(Effect.flatMap((settings) => Console.log(describe(settings).join("\n"))), Effect.provide(Settings.layer), Effect.catchTag("SettingsError", ({ errors }) => Effect.andThen(Console.error(errors.join("\n")), Effect.fail(new ExitCode({ code: 1 }))))));
