/** For tests that compose Armoricore's layers. */
export * as Testing from "./Testing.ts";
