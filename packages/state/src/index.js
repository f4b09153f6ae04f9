/** The state port. Adapters are imported by their own paths, so that only the chosen one's libraries are loaded. */
export * as Collection from "./Collection.ts";
export * from "./KeyValue.ts";
export * from "./MediaStates.ts";
export * from "./NotificationStates.ts";
export * from "./TranscriptStates.ts";
