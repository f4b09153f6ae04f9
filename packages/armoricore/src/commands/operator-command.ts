/** The form of every subcommand of `armoricore operator` that calls the operator API. */
import { OperatorClient } from "@armoricore/operator/OperatorClient"
import { Effect } from "effect"
import { Command } from "effect/cli"
import { type OperatorApiTarget, operatorApiFlags, withOperatorApi } from "./support.ts"
import { withSettings } from "./with-settings.ts"

/** A command that calls the operator API. */
export const operatorCommand = <const Name extends string, const Config extends Command.Command.Config, E, R>(
  commandName: Name,
  config: Config,
  description: string,
  work: (api: OperatorClient["Service"], given: Command.Command.Config.Infer<Config>) => Effect.Effect<unknown, E, R>,
) =>
  Command.make(commandName, { ...operatorApiFlags, ...config }, (given) => {
    // TypeScript cannot infer that the config above consists of these two parts.
    const all = given as OperatorApiTarget & Command.Command.Config.Infer<Config>
    return Effect.flatMap(OperatorClient, (api) => work(api, all)).pipe(
      (call) => withOperatorApi(call, all),
      withSettings,
    )
  }).pipe(Command.withDescription(description))
