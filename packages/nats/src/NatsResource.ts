/** Creates, checks and updates streams and consumers. Uses only features of NATS 2.9. */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { Effect } from "effect"
import type { ConsumerConfig, ConsumerInfo, JetStreamManager, StreamConfig } from "nats"
import { natsRequest, errorFrom, isConcurrentCreate, isNotFound, type NatsRequestError } from "./NatsErrors.ts"

/** `verify`: checks only; creates and changes nothing. */
export type ManageMode = "apply" | "verify"

export const get = <A>(resource: string, call: () => Promise<A>): Effect.Effect<A | undefined, NatsRequestError> =>
  Effect.tryPromise({ try: call, catch: (cause) => cause }).pipe(
    Effect.catchIf(isNotFound, () => Effect.succeed(undefined)),
    Effect.mapError(errorFrom(resource)),
  )

/**
 * Returns false if another process created the stream at the same moment, perhaps another version of this program: read
 * it again.
 */
export const addStream = (
  resource: string,
  manager: JetStreamManager,
  wanted: Partial<StreamConfig> & Pick<StreamConfig, "name">,
): Effect.Effect<boolean, NatsRequestError> =>
  Effect.tryPromise({ try: () => manager.streams.add(wanted), catch: (cause) => cause }).pipe(
    Effect.as(true),
    Effect.catch((cause) => {
      const refused = Effect.fail(errorFrom(resource)(cause))
      if (!isConcurrentCreate(cause)) return refused
      return Effect.flatMap(
        get(resource, () => manager.streams.info(wanted.name)),
        (found) => (found === undefined ? refused : Effect.succeed(false)),
      )
    }),
  )

/** Reads what another process created at the same moment. `undefined`: it has the expected settings. */
export const addConsumer = (
  resource: string,
  manager: JetStreamManager,
  stream: string,
  wanted: Partial<ConsumerConfig> & { readonly durable_name: string },
): Effect.Effect<ConsumerInfo | undefined, NatsRequestError> =>
  Effect.tryPromise({ try: () => manager.consumers.add(stream, wanted), catch: (cause) => cause }).pipe(
    Effect.as(undefined),
    Effect.catch((cause) =>
      isConcurrentCreate(cause)
        ? natsRequest(resource, () => manager.consumers.info(stream, wanted.durable_name))
        : Effect.fail(errorFrom(resource)(cause)),
    ),
  )

/** The names of the settings that differ from the expected ones. */
export const diff = (existing: object, wanted: object): ReadonlyArray<string> => {
  const have = new Map<string, unknown>(Object.entries(existing))
  return Object.entries(wanted)
    .filter(([field, value]) => JSON.stringify(have.get(field) ?? zeroValue(value)) !== JSON.stringify(value))
    .map(([field]) => field)
}

/** The server omits fields that are zero or false. */
const zeroValue = (value: unknown): unknown =>
  typeof value === "number" ? 0 : typeof value === "boolean" ? false : undefined

export const missing = (resource: string): ConfigurationError =>
  new ConfigurationError({
    setting: resource,
    message: `The ${resource} does not exist, and NATS_SETUP=verify does not create it; run "armoricore setup" as a NATS user that may create it`,
  })

/** Logs the differences and returns them for the output of `setup`. */
export const reportDrift = (resource: string, changed: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.as(
    Effect.logWarning(
      `The ${resource} on NATS has other settings (${changed.join(", ")}); "armoricore setup" updates it`,
    ),
    `${resource}: differs in ${changed.join(", ")}, not changed (NATS_SETUP=verify)`,
  )

export const immutable = (resource: string, field: string, is: unknown, wanted: unknown): ConfigurationError =>
  new ConfigurationError({
    setting: resource,
    message: `The ${resource} has ${field} "${String(is)}" where "${String(wanted)}" is needed, and NATS cannot change that; move its messages elsewhere, delete it and run "armoricore setup"`,
  })
