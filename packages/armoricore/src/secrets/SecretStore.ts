/**
 * A secret store: one secret whose fields are settings. Variables of the environment take precedence, so a single process
 * can be run with another value.
 */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Option, Schema, type Effect } from "effect"

/** Texts by setting name. */
export type Secrets = Readonly<Record<string, string>>

export interface SecretStore {
  /** Name for messages: the store and the secret, never a value. */
  readonly name: string
  readonly read: Effect.Effect<Secrets, TransientError | ConfigurationError>
}

const Fields = Schema.Record(Schema.String, Schema.Unknown)

/** Parses the JSON object of a secret. A value that is not a string becomes its JSON text. */
export const parseSecrets = (value: unknown): Option.Option<Secrets> =>
  Option.map(Schema.decodeUnknownOption(Fields)(value), (fields) =>
    Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [name, typeof field === "string" ? field : JSON.stringify(field)]),
    ),
  )
