/** What went wrong inside, as the operator is told it. */
import {
  type ConfigurationError,
  type Conflict,
  NotFound,
  type PermanentError,
  type Rejected,
  type TransientError,
} from "@armoricore/domain/Errors"
import { Effect } from "effect"
import { type Failure, NotDone, Unavailable } from "../api/Failures.ts"

type Inner = Failure | NotFound | Rejected | PermanentError | Conflict | TransientError | ConfigurationError

const failureOf = (error: Inner): Failure => {
  switch (error._tag) {
    case "NotDone":
    case "Unavailable":
      return error
    case "NotFound":
      return new NotDone({ code: "not_found", message: `${error.message}; somebody may have been faster` })
    case "Rejected":
      return new NotDone({ code: error.reason, message: error.message, path: error.path })
    case "PermanentError":
      return new NotDone({ code: error.code, message: error.message })
    case "Conflict":
      return new NotDone({ code: "conflict", message: `${error.message}; look at it again` })
    case "TransientError":
      return new Unavailable({ dependency: error.dependency, message: `${error.message}; try again later` })
    case "ConfigurationError":
      return new Unavailable({ dependency: error.setting, message: error.message })
  }
}

export const failing = <A, R>(effect: Effect.Effect<A, Inner, R>): Effect.Effect<A, Failure, R> =>
  Effect.mapError(effect, failureOf)

export const notFound = (what: string, id: string): NotFound => new NotFound({ what, id })

/** What somebody asked for, within reason. */
export const limitOf = (limit: number | undefined, usual: number, most: number): number =>
  Math.max(1, Math.min(most, limit ?? usual))
