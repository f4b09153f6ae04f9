import { Effect } from "effect";
import * as MemoryBus from "../../src/memory/MemoryBus.ts";
import { behaviourSuite } from "../support/BehaviourSuite.ts";
behaviourSuite({ open: Effect.succeed(Effect.succeed(MemoryBus.layer)), shared: false });
