/** How segments in storage are written down. */
import { Schema } from "effect"

export const track = Schema.Struct({ codec: Schema.String, timescale: Schema.Int, sampleDuration: Schema.Int })

export const segments = Schema.Array(
  Schema.Struct({
    name: Schema.String,
    seconds: Schema.Finite,
    bytes: Schema.Int,
    iFrameSegments: Schema.optionalKey(
      Schema.Array(Schema.Struct({ offset: Schema.Int, length: Schema.Int, seconds: Schema.Finite })),
    ),
  }),
)
