/** The worker loop and what an operator needs around it. */
export * from "./PublishPolicy.ts";
export { Cancellation } from "./control/Cancellation.ts";
export * from "./dead-letters/DeadLetters.ts";
export * from "./control/CircuitBreakers.ts";
export * from "./Handler.ts";
export { Ledger, ledgerBucket } from "./ledger/Ledger.ts";
export * from "./ResultMessage.ts";
export * from "./RetryPolicy.ts";
export * as ScheduledWork from "./ScheduledWork.ts";
export { MaxExpiredLeases } from "./Worker.ts";
export * as Worker from "./Worker.ts";
export * as WorkSchemas from "./WorkSchemas.ts";
export * as UnhandledEventValidator from "./UnhandledEventValidator.ts";
