/** The event bus port. Adapters are imported by their own paths, by the composition root only. */
export * as Address from "./Address.ts";
export * from "./EventBus.ts";
