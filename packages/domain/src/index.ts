/** The shared language of Armoricore: events, ids, errors. No I/O; usable in a browser. */
export * as Causation from "./Causation.ts"
export * from "./Errors.ts"
export * as EventCodec from "./EventCodec.ts"
export * from "./Events.ts"
export * from "./Ids.ts"
export * from "./MediaState.ts"
export * as Signature from "./Signature.ts"
export * as Wire from "./Wire.ts"
