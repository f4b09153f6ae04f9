/** What the first process and its realtime workers say to each other over their channel. */
import { Schema } from "effect"

export const FromWorker = Schema.Union([
  /** `node`: its name among the nodes of realtime. */
  Schema.Struct({ said: Schema.Literal("listening"), port: Schema.Int, url: Schema.String, node: Schema.String }),
  /** `id` comes back with the answer. */
  Schema.Struct({ said: Schema.Literal("metrics wanted"), id: Schema.Int }),
  Schema.Struct({ said: Schema.Literal("metrics"), id: Schema.Int, text: Schema.String }),
])
export type FromWorker = typeof FromWorker.Type

export const ToWorker = Schema.Union([
  /** The program stops; its turn to drain has not come. */
  Schema.Struct({ asked: Schema.Literal("take nobody new") }),
  Schema.Struct({ asked: Schema.Literal("drain") }),
  Schema.Struct({ asked: Schema.Literal("metrics"), id: Schema.Int }),
  /** Of all other processes, with what tells them apart. */
  Schema.Struct({
    asked: Schema.Literal("take metrics"),
    id: Schema.Int,
    metrics: Schema.Array(Schema.Struct({ process: Schema.String, text: Schema.String })),
  }),
])
export type ToWorker = typeof ToWorker.Type

export const readFromWorker = Schema.decodeUnknownOption(FromWorker)
export const readToWorker = Schema.decodeUnknownOption(ToWorker)
