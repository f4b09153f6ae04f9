/**
 * Authorizes callers of the operator API: the token must be valid, not revoked, and have the role `operator`. Every
 * denial is recorded in the audit log.
 */
import * as Bearer from "@armoricore/auth/Bearer";
import { hasRole } from "@armoricore/auth/Identity";
import { Revocations } from "@armoricore/auth/Revocations";
import { Tokens } from "@armoricore/auth/Tokens";
import { Clock, Context, Effect, Layer, Schema } from "effect";
import { AccessDenied } from "./api/Errors.ts";
import { Audit } from "./Audit.ts";
export class OperatorAuth extends Context.Service()("@armoricore/operator/OperatorAuth") {
    static layer = Layer.effect(OperatorAuth, Effect.suspend(() => make));
}
const make = Effect.gen(function* () {
    const tokens = yield* Tokens;
    const revocations = yield* Revocations;
    const audit = yield* Audit;
    const verify = (headers) => Effect.gen(function* () {
        const identity = yield* tokens.verify(Bearer.fromHeader(headers["authorization"])).pipe(Effect.mapError((error) => ({
            denied: error._tag === "Unauthorized"
                ? new AccessDenied({ reason: error.reason, message: error.message })
                : new AccessDenied({ reason: "unverified", message: `${error.message}; try again later` }),
        })));
        if (revocations.isRevoked(identity))
            return yield* Effect.fail({ identity, denied: revoked });
        if (!hasRole(identity, "operator"))
            return yield* Effect.fail({ identity, denied: roleMissing });
        return identity;
    });
    return OperatorAuth.of({
        authorize: ({ action, headers, payload }) => Effect.catch(verify(headers), ({ denied, identity }) => Effect.andThen(audit.recordDenied({ action, payload: toJson(payload), ...(identity === undefined ? {} : { user_id: identity.userId }) }, denied.message), Effect.fail(denied))),
        untilInvalidated: (identity) => Effect.raceFirst(Effect.gen(function* () {
            for (;;) {
                const remainingMillis = identity.expiresAt - (yield* Clock.currentTimeMillis);
                if (remainingMillis <= 0)
                    return yield* expired;
                // Node's timers are limited to 24 days.
                yield* Effect.sleep(Math.min(remainingMillis, 86_400_000));
            }
        }), Effect.callback((resume) => {
            const stop = revocations.onChange(() => {
                if (revocations.isRevoked(identity))
                    resume(Effect.fail(revoked));
            });
            return Effect.sync(stop);
        })),
    });
});
const revoked = new AccessDenied({ reason: "revoked", message: "the token was revoked; sign in with a new one" });
const expired = new AccessDenied({ reason: "expired", message: "the token has expired; sign in with a new one" });
const roleMissing = new AccessDenied({
    reason: "role_missing",
    message: "the token lacks the role operator; create one with `armoricore token --user ID --role operator`",
});
const isJson = Schema.is(Schema.Json);
/** Payloads are JSON; values that are not are omitted. */
export const toJson = (payload) => {
    const json = JSON.parse(JSON.stringify(payload ?? null));
    return isJson(json) ? json : null;
};
