/** The shared language of Armoricore: events, ids, errors. No I/O; usable in a browser. */
export * as DeterministicId from "./DeterministicId.ts";
export * from "./Errors.ts";
export * as EventCodec from "./EventCodec.ts";
export * from "./EventRegistry.ts";
export * from "./Ids.ts";
export * from "./MediaState.ts";
export * as NotificationState from "./NotificationState.ts";
export * as Signature from "./Signature.ts";
export * from "./Transcript.ts";
export * as JsonCodecs from "./JsonCodecs.ts";
