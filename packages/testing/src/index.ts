/** For those who compose Armoricore's layers in tests. */
export * as Testing from "./Testing.ts"
