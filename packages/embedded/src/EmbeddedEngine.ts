/**
 * A durable SQLite engine in a worker thread, for the embedded adapters.
 *
 * One process owns a data folder (`layerOwner`): the engine's thread holds the file's exclusive lock, commits
 * concurrent calls in one transaction (group commit) and responds after the commit. Other processes of the same user
 * share it through a socket in the folder (`layerClient`). `layerShared` owns the folder, or shares it if another
 * process owns it.
 */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Context, Effect, Layer, Schedule, type Scope, type Stream, SubscriptionRef } from "effect"
import { resolve } from "node:path"
import { type CallOptions, EngineClient } from "./EngineClient.ts"
import type { Operations } from "./Operations.ts"
import * as Transport from "./Transport.ts"

export type EngineError = TransientError | ConfigurationError

/** The file `url` is an operations module and has the shape of `OperationsModule`. */
export interface ModuleSource {
  /** `[a-z0-9-]+`; the names of the module's tables begin with it. */
  readonly name: string
  readonly url: URL
  readonly options?: Readonly<Record<string, number>>
}

/** `Ops` is the type of the module's `operations`: import it as a type only, the code runs in the thread. */
export interface EngineModule<Ops extends Operations> {
  /** Succeeds once the transaction is on disk. An operation that throws is a defect. */
  readonly call: <Name extends keyof Ops & string>(
    operation: Name,
    args: Parameters<Ops[Name]>[1],
    options?: CallOptions,
  ) => Effect.Effect<ReturnType<Ops[Name]>, EngineError>
  /**
   * Notifications of topics that begin with `prefix`, from every process that shares the folder, in commit order, from
   * when the effect returns until the scope closes. `onNotification` must not block or throw. With `exact` only of that
   * topic, at a cost that does not depend on the number of topics.
   */
  readonly subscribe: (
    prefix: string,
    onNotification: (topic: string, data: unknown) => void,
    options?: { readonly exact?: boolean },
  ) => Effect.Effect<void, EngineError, Scope.Scope>
}

export class EmbeddedEngine extends Context.Service<
  EmbeddedEngine,
  {
    /** The folder's absolute path. */
    readonly folder: string
    readonly role: "owner" | "client"
    /**
     * Identifies this ownership of the folder; undefined in processes that share it. Only one process owns the folder,
     * so records marked with another id belong to a process that has ended.
     */
    readonly ownerId: string | undefined
    /** Registers an operations module, migrates its tables and returns a function to call its operations. */
    readonly module: <Ops extends Operations>(source: ModuleSource) => Effect.Effect<EngineModule<Ops>, EngineError>
    readonly connected: Effect.Effect<boolean>
    /**
     * The current state first, then each change. While disconnected, calls fail with `unavailable` and notifications
     * are missed.
     */
    readonly connectedChanges: Stream.Stream<boolean>
  }
>()("@armoricore/embedded/EmbeddedEngine") {}

export interface EngineOptions {
  readonly folder: string
}

/** How long to wait for a previous owner to exit. */
const ownerLockTimeout = 2_000

/** Owns the folder. Fails with a ConfigurationError that names the owner if there is one. */
export const layerOwner = ({ folder }: EngineOptions): Layer.Layer<EmbeddedEngine, EngineError> =>
  Layer.effect(EmbeddedEngine, make(folder, "owner", ownerLockTimeout))

/** Shares the folder of a running owner. Fails with a ConfigurationError if no process owns it. */
export const layerClient = ({ folder }: EngineOptions): Layer.Layer<EmbeddedEngine, EngineError> =>
  Layer.effect(EmbeddedEngine, make(folder, "client", 0))

/**
 * Owns the folder, or shares it if another process owns it. When that process ends, calls wait until this one has become the
 * owner, or the client of another. `role` and `ownerId` stay those of the start.
 */
export const layerShared = ({ folder }: EngineOptions): Layer.Layer<EmbeddedEngine, EngineError> =>
  Layer.effect(
    EmbeddedEngine,
    make(folder, "client", 0, true).pipe(
      Effect.catch(() => make(folder, "owner", 0)),
      // Another process won the race for the folder and is about to open its socket, or is about to end.
      Effect.catchTag("ConfigurationError", (refused) =>
        make(folder, "client", 0, true).pipe(
          Effect.catch(() => make(folder, "owner", 0)),
          Effect.retry({ times: 20, schedule: Schedule.spaced("100 millis") }),
          Effect.mapError(() => refused),
        ),
      ),
    ),
  )

const make = Effect.fnUntraced(function* (
  given: string,
  role: "owner" | "client",
  lockTimeout: number,
  mayBecomeOwner = false,
) {
  const folder = resolve(given)
  const connected = yield* SubscriptionRef.make(false)
  const client = new EngineClient(connected, mayBecomeOwner)
  const thread = Transport.thread({ folder, lockTimeout })
  const socket = Transport.socket(folder)
  let isFirst = true
  const either: Transport.Connect = (handlers) =>
    Effect.suspend(() => {
      const dialed = socket(handlers)
      if (!mayBecomeOwner || isFirst) {
        isFirst = false
        return dialed
      }
      return Effect.catch(dialed, () => thread(handlers))
    })
  yield* client.connect(role === "owner" ? thread : either)
  return EmbeddedEngine.of({
    folder,
    role,
    ownerId: role === "owner" ? crypto.randomUUID() : undefined,
    module: Effect.fnUntraced(function* <Ops extends Operations>(source: ModuleSource) {
      yield* client.register(source.name, source.url.href, source.options ?? {})
      const module: EngineModule<Ops> = {
        call: <Name extends keyof Ops & string>(
          operation: Name,
          args: Parameters<Ops[Name]>[1],
          options?: CallOptions,
        ) =>
          // The thread returns the result of the operation with that name.
          client.call(source.name, operation, args, options) as Effect.Effect<ReturnType<Ops[Name]>, EngineError>,
        subscribe: (prefix, onNotice, options) =>
          Effect.asVoid(
            Effect.acquireRelease(
              client.subscribe(
                `${source.name}/${prefix}`,
                ({ topic, data }) => onNotice(topic, data),
                options?.exact === true,
              ),
              (stop) => stop,
            ),
          ),
      }
      return module
    }),
    connected: SubscriptionRef.get(connected),
    connectedChanges: SubscriptionRef.changes(connected),
  })
})
