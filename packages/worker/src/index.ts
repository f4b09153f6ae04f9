/** The worker loop and what an operator needs around it. */
export * from "./Authorization.ts"
export * from "./DeadLetters.ts"
export * from "./Handler.ts"
export { type Claim, type Decision, Ledger, ledgerBucket } from "./Ledger.ts"
export * from "./Outcome.ts"
export * from "./Retry.ts"
export * as Worker from "./Worker.ts"
export * as Guard from "./Guard.ts"
