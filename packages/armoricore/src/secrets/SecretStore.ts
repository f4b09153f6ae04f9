/**
 * Where settings may be kept instead of the environment: a secret whose keys are names of settings. The environment
 * goes first, so that one process can be tried with another value.
 */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Option, Schema, type Effect } from "effect"

/** Names of settings and their texts. */
export type Secrets = Readonly<Record<string, string>>

export interface SecretStore {
  /** How it is called in messages: the store and the secret, never a value. */
  readonly name: string
  readonly read: Effect.Effect<Secrets, TransientError | ConfigurationError>
}

const Fields = Schema.Record(Schema.String, Schema.Unknown)

/** A secret as stores keep it, a JSON object. What is no text (a number, an object) becomes the JSON that says it. */
export const parseSecrets = (value: unknown): Option.Option<Secrets> =>
  Option.map(Schema.decodeUnknownOption(Fields)(value), (fields) =>
    Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [name, typeof field === "string" ? field : JSON.stringify(field)]),
    ),
  )
