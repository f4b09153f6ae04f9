/** What bringing a stream or a consumer to its settings takes, whichever it is. Only features of NATS 2.9 are used. */
import { ConfigurationError } from "@armoricore/domain/Errors"
import { Effect } from "effect"
import type { ConsumerConfig, ConsumerInfo, JetStreamManager, StreamConfig } from "nats"
import { natsRequest, errorFrom, isConcurrentCreate, isNotFound, type NatsRequestError } from "./NatsErrors.ts"

/** `verify`: nothing is created or changed. */
export type ManageMode = "apply" | "verify"

export const get = <A>(resource: string, call: () => Promise<A>): Effect.Effect<A | undefined, NatsRequestError> =>
  Effect.tryPromise({ try: call, catch: (cause) => cause }).pipe(
    Effect.catchIf(isNotFound, () => Effect.succeed(undefined)),
    Effect.mapError(errorFrom(resource)),
  )

/** False where another process made the stream in the same moment, maybe one of another version: look again. */
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

/** What another process made in the same moment, with other settings; undefined where it is as wanted. */
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

/** The names of the settings that are other than wanted. */
export const diff = (existing: object, wanted: object): ReadonlyArray<string> => {
  const have = new Map<string, unknown>(Object.entries(existing))
  return Object.entries(wanted)
    .filter(([field, value]) => JSON.stringify(have.get(field) ?? zeroValue(value)) !== JSON.stringify(value))
    .map(([field]) => field)
}

/** The server leaves out what is zero or false. */
const zeroValue = (value: unknown): unknown =>
  typeof value === "number" ? 0 : typeof value === "boolean" ? false : undefined

export const missing = (resource: string): ConfigurationError =>
  new ConfigurationError({
    setting: resource,
    message: `The ${resource} is not there, and this service only verifies; run "armoricore setup" as a NATS user that may create it`,
  })

/** Warns of them, and says so in the line that setup prints. */
export const reportDrift = (resource: string, changed: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.as(
    Effect.logWarning(
      `The ${resource} on NATS has other settings (${changed.join(", ")}); "armoricore setup" updates it`,
    ),
    `${resource}: differs in ${changed.join(", ")}, left as it is`,
  )

export const immutable = (resource: string, field: string, is: unknown, wanted: unknown): ConfigurationError =>
  new ConfigurationError({
    setting: resource,
    message: `The ${resource} has ${field} "${String(is)}" where "${String(wanted)}" is needed, and NATS cannot change that; move its messages elsewhere, delete it and run "armoricore setup"`,
  })
