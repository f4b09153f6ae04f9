/** Who makes a request: the `Authorization: Bearer` token, and what its roles allow. */
import * as Bearer from "@armoricore/auth/Bearer"
import { hasRole, type Identity } from "@armoricore/auth/Identity"
import * as Revocations from "@armoricore/auth/Revocations"
import type { Tokens, Unauthorized } from "@armoricore/auth/Tokens"
import type { TransientError } from "@armoricore/domain/Errors"
import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"
import { problem, type ProblemError } from "./Problem.ts"

export const bearerToken = (request: HttpServerRequest.HttpServerRequest): string | undefined =>
  Bearer.fromHeader(request.headers["authorization"])

/** The identity that the request's token proves, unless it was revoked. */
export const authenticate = (
  request: HttpServerRequest.HttpServerRequest,
): Effect.Effect<Identity, Unauthorized | TransientError, Tokens | Revocations.Revocations> =>
  Revocations.verify(bearerToken(request))

export const requireRole = (identity: Identity, role: string): Effect.Effect<void, ProblemError> =>
  hasRole(identity, role)
    ? Effect.void
    : Effect.fail(problem(403, "role_missing", `the token lacks the role ${role}; ask for one that has it`))

/** Guests may read; whatever changes something needs a user. */
export const rejectGuest = (identity: Identity): Effect.Effect<void, ProblemError> =>
  hasRole(identity, "guest")
    ? Effect.fail(problem(403, "guest", "guests may look but not upload; sign in first"))
    : Effect.void
