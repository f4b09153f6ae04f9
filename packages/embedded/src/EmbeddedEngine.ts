/**
 * A durable SQLite engine off the main thread, for the adapters of the embedded default.
 *
 * One process owns a data folder (`layerOwner`): the engine's thread holds the file's exclusive lock, commits calls that
 * arrive together in one transaction and answers them after the commit. Other processes of the same user share it through
 * a socket in the folder (`layerClient`). `layerShared` owns the folder, or shares it when it is owned already.
 */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Context, Effect, Layer, Schedule, type Scope, type Stream, SubscriptionRef } from "effect"
import { resolve } from "node:path"
import { EngineClient } from "./EngineClient.ts"
import type { Operations } from "./Operations.ts"
import * as Transport from "./Transport.ts"

export type EngineError = TransientError | ConfigurationError

/** An operations module: the file `url` has the shape of `OperationsModule`. */
export interface ModuleSource {
  /** `[a-z0-9-]+`; tables of the module begin with it. */
  readonly name: string
  readonly url: URL
  readonly options?: Readonly<Record<string, number>>
}

/** `Ops` is the module's `operations`: import it as a type only, the code runs in the thread. */
export interface EngineModule<Ops extends Operations> {
  /** Succeeds once the transaction is on the disk. An operation that throws is a defect. */
  readonly call: <Name extends keyof Ops & string>(
    operation: Name,
    args: Parameters<Ops[Name]>[1],
  ) => Effect.Effect<ReturnType<Ops[Name]>, EngineError>
  /**
   * Notices of topics that begin with `prefix`, from every process that shares the folder, in the order of their commits,
   * from when the effect returns until the scope closes. `onNotice` must not block or throw. With `exact` of that topic
   * alone, which costs no more when there are very many.
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
     * Names this ownership of the folder; undefined for those who share it. Only one process can own it, so what was
     * marked with another name belongs to a process that has ended.
     */
    readonly ownerId: string | undefined
    /** Registers an operations module, migrates its tables and returns the way to call it. */
    readonly module: <Ops extends Operations>(source: ModuleSource) => Effect.Effect<EngineModule<Ops>, EngineError>
    readonly connected: Effect.Effect<boolean>
    /** The current state first, then each change. While not connected, calls fail with `unavailable` and notices are missed. */
    readonly connectedChanges: Stream.Stream<boolean>
  }
>()("@armoricore/embedded/EmbeddedEngine") {}

export interface EngineOptions {
  readonly folder: string
}

/** How long a former owner may take to end. */
const ownerLockTimeout = 2_000

/** Owns the folder; a ConfigurationError names the owner when there is one already. */
export const layerOwner = ({ folder }: EngineOptions): Layer.Layer<EmbeddedEngine, EngineError> =>
  Layer.effect(EmbeddedEngine, make(folder, "owner", ownerLockTimeout))

/** Shares the folder of a running owner; a ConfigurationError says so when there is none. */
export const layerClient = ({ folder }: EngineOptions): Layer.Layer<EmbeddedEngine, EngineError> =>
  Layer.effect(EmbeddedEngine, make(folder, "client", 0))

export const layerShared = ({ folder }: EngineOptions): Layer.Layer<EmbeddedEngine, EngineError> =>
  Layer.effect(
    EmbeddedEngine,
    make(folder, "client", 0).pipe(
      Effect.catch(() => make(folder, "owner", 0)),
      // Lost the race for the folder: its new owner opens its socket in a moment.
      Effect.catchTag("ConfigurationError", (refused) =>
        make(folder, "client", 0).pipe(
          Effect.retry({ times: 20, schedule: Schedule.spaced("100 millis") }),
          Effect.mapError(() => refused),
        ),
      ),
    ),
  )

const make = Effect.fnUntraced(function* (given: string, role: "owner" | "client", lockTimeout: number) {
  const folder = resolve(given)
  const connected = yield* SubscriptionRef.make(false)
  const client = new EngineClient(connected)
  yield* client.connect(role === "owner" ? Transport.thread({ folder, lockTimeout }) : Transport.socket(folder))
  return EmbeddedEngine.of({
    folder,
    role,
    ownerId: role === "owner" ? crypto.randomUUID() : undefined,
    module: Effect.fnUntraced(function* <Ops extends Operations>(source: ModuleSource) {
      yield* client.register(source.name, source.url.href, source.options ?? {})
      const module: EngineModule<Ops> = {
        call: <Name extends keyof Ops & string>(operation: Name, args: Parameters<Ops[Name]>[1]) =>
          // What comes back through the thread is what the operation of that name returned.
          client.call(source.name, operation, args) as Effect.Effect<ReturnType<Ops[Name]>, EngineError>,
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
