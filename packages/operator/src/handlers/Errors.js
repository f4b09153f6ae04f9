/** Maps internal errors to errors of the operator API. */
import { NotFound, } from "@armoricore/domain/Errors";
import { Effect } from "effect";
import { ActionRejected, Unavailable } from "../api/Errors.ts";
export const toOperatorError = (error) => {
    switch (error._tag) {
        case "ActionRejected":
        case "Unavailable":
            return error;
        case "NotFound":
            return new ActionRejected({
                code: "not_found",
                message: `${error.message}; another operator may have acted on it first`,
            });
        case "InvalidEvent":
            return new ActionRejected({ code: error.reason, message: error.message, path: error.path });
        case "PermanentError":
            return new ActionRejected({ code: error.code, message: error.message });
        case "Conflict":
            return new ActionRejected({ code: "conflict", message: `${error.message}; look at it again` });
        case "TransientError":
            return new Unavailable({ dependency: error.dependency, message: `${error.message}; try again later` });
        case "ConfigurationError":
            return new Unavailable({ dependency: error.setting, message: error.message });
    }
};
export const mapErrors = (effect) => Effect.mapError(effect, toOperatorError);
export const notFound = (resource, id) => new NotFound({ resource, id });
/** The requested limit, clamped to its maximum. */
export const clampLimit = (limit, defaultLimit, maxLimit) => Math.max(1, Math.min(maxLimit, limit ?? defaultLimit));
