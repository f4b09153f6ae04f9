/** Maps RabbitMQ's errors to one error per recovery decision. */
import { ConfigurationError, TransientError } from "@armoricore/domain/Errors";
import { Effect } from "effect";
import { AMQPError } from "rabbitmq-client";
export const amqpErrorCode = (cause) => (cause instanceof AMQPError ? cause.code : "");
export const transientError = (code, message, cause) => new TransientError({ dependency: "bus", code, message, ...(cause === undefined ? {} : { cause }) });
export const errorFrom = (resource) => (cause) => {
    const said = cause instanceof Error ? cause.message : String(cause);
    switch (amqpErrorCode(cause)) {
        case "PRECONDITION_FAILED":
            return new ConfigurationError({
                setting: resource,
                message: `The ${resource} on RabbitMQ has incompatible settings, and RabbitMQ cannot change them (${said}); drain it, delete it and run "armoricore setup"`,
                cause,
            });
        case "ACCESS_REFUSED":
            return new ConfigurationError({
                setting: resource,
                message: `The RabbitMQ user may not use the ${resource} (${said}); extend its permissions`,
                cause,
            });
        case "NOT_FOUND":
            return new ConfigurationError({
                setting: resource,
                message: `The ${resource} does not exist (${said}); run "armoricore setup"`,
                cause,
            });
        case "NACK":
            return transientError("full", `RabbitMQ rejected a message for the ${resource}: a queue is full; wait until it drains or raise its limit`, cause);
        case "INTERNAL_ERROR":
            return transientError("unavailable", `RabbitMQ failed with an internal error (${resource}); its log has the reason`, cause);
        case "TIMEOUT":
            return transientError("timeout", `RabbitMQ did not answer in time (${resource})`, cause);
        default:
            return transientError("unavailable", `${resource}: ${said}`, cause);
    }
};
export const isRabbitRequestError = (cause) => cause instanceof TransientError || cause instanceof ConfigurationError;
export const rabbitRequest = (resource, call) => Effect.tryPromise({ try: call, catch: errorFrom(resource) }).pipe(Effect.timeoutOrElse({
    duration: "10 seconds",
    orElse: () => Effect.fail(transientError("timeout", `RabbitMQ did not answer in time (${resource})`)),
}));
