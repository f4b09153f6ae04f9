/** Builds the console ahead of its first visitor: for packing, and for images whose files cannot be written. */
import { consoleFolder } from "@armoricore/operator/ConsoleBuild"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect } from "effect"

consoleFolder.pipe(
  Effect.flatMap((built) => Console.log(`the console is in ${built}`)),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain,
)
