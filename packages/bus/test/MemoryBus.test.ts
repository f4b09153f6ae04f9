import { Effect } from "effect"
import * as MemoryBus from "../src/memory/MemoryBus.ts"
import { behaviour } from "./behaviour.ts"

behaviour({ open: Effect.succeed(Effect.succeed(MemoryBus.layer)), shared: false })
