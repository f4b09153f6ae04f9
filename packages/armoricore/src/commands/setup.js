/** `armoricore setup`: creates or checks streams, queues and buckets, so that publishers can publish before any worker runs. */
import { Console, Effect } from "effect";
import { Command } from "effect/cli";
import { setupResources } from "../app/Setup.ts";
import { servicesFlag } from "./services-flag.ts";
import { withAdapters } from "./support.ts";
import { withSettings } from "./with-settings.ts";
export const setup = Command.make("setup", { services: servicesFlag("the services that this installation runs") }, Effect.fn("setup")(function* ({ services }) {
    yield* Console.log((yield* setupResources(services)).join("\n"));
}, withAdapters, withSettings));
