/** What the first process and its realtime workers say to each other over their channel. */
import { Schema } from "effect"

export const FromWorker = Schema.Union([
  /** `node`: its name among the nodes of realtime. */
  Schema.Struct({ type: Schema.Literal("listening"), port: Schema.Int, url: Schema.String, node: Schema.String }),
  /** `id` comes back with the answer. */
  Schema.Struct({ type: Schema.Literal("metrics wanted"), id: Schema.Int }),
  Schema.Struct({ type: Schema.Literal("metrics"), id: Schema.Int, text: Schema.String }),
])
export type FromWorker = typeof FromWorker.Type

export const ToWorker = Schema.Union([
  /** The program stops; its turn to drain has not come. */
  Schema.Struct({ type: Schema.Literal("take nobody new") }),
  Schema.Struct({ type: Schema.Literal("drain") }),
  Schema.Struct({ type: Schema.Literal("metrics"), id: Schema.Int }),
  /** Of all other processes, with what tells them apart. */
  Schema.Struct({
    type: Schema.Literal("take metrics"),
    id: Schema.Int,
    metrics: Schema.Array(Schema.Struct({ process: Schema.String, text: Schema.String })),
  }),
])
export type ToWorker = typeof ToWorker.Type

export const decodeFromWorker = Schema.decodeUnknownOption(FromWorker)
export const decodeToWorker = Schema.decodeUnknownOption(ToWorker)
