/** Authentication by `Authorization: Bearer` token, and the checks of the token's roles. */
import * as Bearer from "@armoricore/auth/Bearer";
import { hasRole } from "@armoricore/auth/Identity";
import * as Revocations from "@armoricore/auth/Revocations";
import { Tokens } from "@armoricore/auth/Tokens";
import { Effect, Layer } from "effect";
import { HttpServerRequest } from "effect/http";
import { Authentication, CurrentIdentity } from "./contract/Security.ts";
import { asProblem, problem } from "./Problem.ts";
export const bearerToken = (request) => Bearer.fromHeader(request.headers["authorization"]);
/** The identity in the request's token. Fails for a revoked token. */
export const authenticate = (request) => Revocations.verify(bearerToken(request));
/** Verifies the token before the handler runs and provides its identity. */
export const layer = Layer.effect(Authentication, Effect.gen(function* () {
    const context = yield* Effect.context();
    return Authentication.of({
        // The token is read from the header: a credential with a space inside is no bearer token.
        bearer: (handler) => HttpServerRequest.HttpServerRequest.pipe(Effect.flatMap((request) => asProblem(Effect.provideContext(authenticate(request), context))), Effect.flatMap((identity) => Effect.provideService(handler, CurrentIdentity, identity))),
    });
}));
export const requireRole = (identity, role) => hasRole(identity, role)
    ? Effect.void
    : Effect.fail(problem(403, "role_missing", `the token lacks the role ${role}; ask for one that has it`));
/** A guest may read; every change needs a user. */
export const rejectGuest = (identity) => hasRole(identity, "guest")
    ? Effect.fail(problem(403, "guest", "guests may look but not upload; sign in first"))
    : Effect.void;
