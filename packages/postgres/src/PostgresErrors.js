/** Maps PostgreSQL errors to one error per recovery decision. */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors";
/** The SQLSTATE, if the server responded. */
const sqlState = (error) => {
    const { cause } = error.reason;
    return typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
        ? cause.code
        : "";
};
export const errorFrom = (error) => {
    const state = sqlState(error);
    const said = error.reason.cause instanceof Error ? error.reason.cause.message : error.message;
    const fault = (setting, message) => new ConfigurationError({ setting, message, cause: error });
    if (state === "42P01") {
        return fault("STATE_URL", 'the state\'s table does not exist in PostgreSQL; run "armoricore setup"');
    }
    if (state === "3D000")
        return fault("STATE_URL", `the database that STATE_URL names does not exist: ${said}`);
    if (error.reason._tag === "AuthenticationError") {
        return fault("STATE_URL", `PostgreSQL refuses user or password of STATE_URL: ${said}`);
    }
    if (error.reason._tag === "AuthorizationError") {
        return fault("STATE_URL", `the user of STATE_URL lacks a permission; grant it on the armoricore_state table: ${said}`);
    }
    if (error.reason._tag === "SqlSyntaxError") {
        return fault("STATE_URL", `the state's table in PostgreSQL does not have the layout of this version:  ${said}`);
    }
    const code = state.startsWith("53") ? "full" : error.reason._tag.includes("Timeout") ? "timeout" : "unavailable";
    return new TransientError({
        dependency: "state",
        code,
        message: `the state in PostgreSQL cannot be used: ${said}`,
        cause: error,
    });
};
