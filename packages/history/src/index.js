/** The history port. Adapters are imported by their own paths, so that only the chosen one's libraries are loaded. */
export * from "./History.ts";
export * from "./Retention.ts";
