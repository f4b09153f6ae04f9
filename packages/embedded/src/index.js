/** A durable SQLite engine off the main thread, owned by one process and shared with others of the same user. */
export * from "./EmbeddedEngine.ts";
