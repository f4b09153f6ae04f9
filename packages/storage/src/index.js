/** The object storage port. Adapters are imported by their own paths, so that only the chosen one's libraries are loaded. */
export * from "./ObjectStorage.ts";
export * from "./PlaybackUrls.ts";
export * from "./PublicUrl.ts";
