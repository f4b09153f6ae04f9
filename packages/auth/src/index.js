/** Tokens: who is at the other end, and what they may do. */
export * as Identity from "./Identity.ts";
export * as Revocations from "./Revocations.ts";
export * as Tokens from "./Tokens.ts";
