export * as PostgresErrors from "./PostgresErrors.ts";
export * as PostgresSchema from "./PostgresSchema.ts";
