/**
 * Runs before every procedure: authorizes the caller, records actions in the audit log, and ends a stream when its
 * token becomes invalid.
 */
import { Context, Effect, Exit, Layer, Option } from "effect";
import { RpcSchema } from "effect/rpc";
import { OperatorAuth, toJson } from "./OperatorAuth.ts";
import { Audit } from "./Audit.ts";
import { Audited, Caller, OperatorMiddleware } from "./OperatorApi.ts";
import { InFlightRequests } from "./InFlightRequests.ts";
export const layer = Layer.effect(OperatorMiddleware, Effect.gen(function* () {
    const auth = yield* OperatorAuth;
    const audit = yield* Audit;
    const inFlight = yield* InFlightRequests;
    return OperatorMiddleware.of((effect, { headers, payload, rpc }) => {
        const call = Effect.gen(function* () {
            const identity = yield* auth.authorize({ action: rpc._tag, headers, payload });
            const handled = effect.pipe(Effect.provideService(Caller, { userId: identity.userId, expiresAt: identity.expiresAt }), (running) => Effect.raceFirst(running, auth.untilInvalidated(identity)));
            if (!Context.get(rpc.annotations, Audited))
                return yield* handled;
            // A failure is an error of the API with a message; the middleware does not know its type.
            const exit = yield* audit
                .record({ action: rpc._tag, payload: toJson(payload), user_id: identity.userId }, Effect.flatMap(Effect.exit(handled), (exit) => Exit.isSuccess(exit) ? Effect.succeed(exit) : Effect.fail({ message: errorMessage(exit), exit })))
                .pipe(Effect.catch(({ exit }) => Effect.succeed(exit)));
            return yield* exit;
        });
        return RpcSchema.isStreamSchema(rpc.successSchema) ? call : inFlight.track(call);
    });
}));
const errorMessage = (exit) => {
    const error = Option.getOrUndefined(Exit.findErrorOption(exit));
    return error instanceof Error ? error.message : "the procedure died or was interrupted; see the server's log";
};
