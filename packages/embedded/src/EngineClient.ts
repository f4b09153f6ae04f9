/**
 * The caller's half: batches the calls of one turn of the event loop into one message, and dispatches responses and
 * notifications. When the connection is lost, pending calls fail and the client reconnects until it succeeds.
 *
 * A call whose connection was lost fails with `unavailable` although it may have been committed: callers retry, and
 * operations that must not run twice carry their own key.
 */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Effect, Fiber, SubscriptionRef } from "effect"
import type { Reply, Request } from "./Protocol.ts"
import { type Connect, type Transport, errorFrom, unavailable } from "./Transport.ts"

type EngineClientError = TransientError | ConfigurationError
type Resume = (result: Effect.Effect<unknown, EngineClientError>) => void

/** A batch of this many calls is sent at once: the engine commits it while the next one fills. */
const maxBatch = 64
/** In milliseconds: a deferred call that no other call takes along is sent after this time. */
const deferral = 5

export interface CallOptions {
  /** The call may wait a few milliseconds for another one, so that both cost one message and one transaction. */
  readonly deferred?: boolean
}

export interface Notification {
  readonly module: string
  readonly topic: string
  readonly data: unknown
}

interface Subscription {
  readonly address: string
  /** An exact topic instead of a prefix; there may be very many. */
  readonly exact: boolean
  readonly onNotification: (notice: Notification) => void
}

export class EngineClient {
  readonly connected: SubscriptionRef.SubscriptionRef<boolean>
  private readonly pending = new Map<number, Resume>()
  private readonly subscriptions = new Set<Subscription>()
  private readonly exactSubscriptions = new Map<string, Set<Subscription>>()
  private readonly modules = new Map<string, unknown>()
  private transport: Transport | undefined
  /** Calls wait for this: a new owner must load the modules first. */
  private isReady = false
  private queue: Array<Request> = []
  private scheduled = false
  private deferTimer: NodeJS.Timeout | undefined
  private lastId = 0

  constructor(connected: SubscriptionRef.SubscriptionRef<boolean>) {
    this.connected = connected
  }

  call(
    module: string,
    operation: string,
    args: unknown,
    options?: CallOptions,
  ): Effect.Effect<unknown, EngineClientError> {
    return Effect.callback<unknown, EngineClientError>((resume) => {
      if (this.transport === undefined || (!this.isReady && module !== ""))
        return resume(Effect.fail(unavailable("The engine of the data folder is unreachable; reconnecting")))
      const id = this.send([module, operation, args], resume, options?.deferred === true)
      return Effect.sync(() => void this.pending.delete(id))
    })
  }

  /** Registers a module with the engine, now and after every reconnect. */
  register(name: string, url: string, options: unknown): Effect.Effect<void, EngineClientError> {
    const args = { name, url, options }
    this.modules.set(name, args)
    return Effect.asVoid(this.call("", "register", args))
  }

  /** Subscribes; the returned effect unsubscribes. */
  subscribe(
    address: string,
    onNotification: Subscription["onNotification"],
    exact: boolean,
  ): Effect.Effect<Effect.Effect<void>, EngineClientError> {
    return Effect.suspend(() => {
      const subscription = { address, exact, onNotification }
      this.add(subscription)
      const stop = Effect.suspend(() => {
        this.remove(subscription)
        return Effect.ignore(this.call("", "unlisten", { name: address, exact }))
      })
      return this.call("", "listen", { name: address, exact }).pipe(
        Effect.as(stop),
        Effect.onError(() => Effect.sync(() => this.remove(subscription))),
      )
    })
  }

  private add(subscription: Subscription): void {
    if (!subscription.exact) return void this.subscriptions.add(subscription)
    const same = this.exactSubscriptions.get(subscription.address)
    if (same === undefined) this.exactSubscriptions.set(subscription.address, new Set([subscription]))
    else same.add(subscription)
  }

  private remove(subscription: Subscription): void {
    this.subscriptions.delete(subscription)
    const same = this.exactSubscriptions.get(subscription.address)
    if (same?.delete(subscription) === true && same.size === 0) this.exactSubscriptions.delete(subscription.address)
  }

  /**
   * Stays connected until the scope closes. The first connection must succeed; later ones are attempted every half
   * second.
   */
  connect = (dial: Connect) =>
    Effect.gen({ self: this }, function* () {
      const lost: { signal: (() => void) | undefined } = { signal: undefined }
      const once = () => {
        // The previous connection may have been lost during its handshake.
        this.isReady = false
        return dial({ onBatch: (batch) => this.receive(batch), onClose: () => this.handleClose(lost.signal) }).pipe(
          Effect.tap((transport) => Effect.sync(() => void (this.transport = transport))),
          Effect.tap(() => this.handshake()),
          Effect.tap(() => Effect.sync(() => void (this.isReady = true))),
          Effect.tap(() => SubscriptionRef.set(this.connected, true)),
        )
      }
      yield* once()
      const keeper = yield* Effect.forkScoped(
        Effect.forever(
          Effect.callback<void>((resume) => {
            lost.signal = () => resume(Effect.void)
            if (this.transport === undefined) resume(Effect.void)
          }).pipe(
            Effect.andThen(SubscriptionRef.set(this.connected, false)),
            Effect.andThen(Effect.logWarning("The connection to the engine of the data folder is lost; reconnecting")),
            Effect.andThen(
              Effect.suspend(once).pipe(
                Effect.tapError(() => Effect.sleep("500 millis")),
                Effect.eventually,
              ),
            ),
          ),
        ),
      )
      yield* Effect.addFinalizer(() =>
        Fiber.interrupt(keeper).pipe(
          Effect.andThen(
            Effect.suspend(() => {
              this.flush()
              return this.transport === undefined ? Effect.void : this.transport.close
            }),
          ),
        ),
      )
    })

  /** A new connection knows no registrations or subscriptions of the old one. */
  private handshake(): Effect.Effect<void, EngineClientError> {
    return Effect.suspend(() =>
      Effect.all(
        [
          ...[...this.modules.values()].map((args) => this.call("", "register", args)),
          ...[...this.subscriptions, ...[...this.exactSubscriptions.values()].flatMap((same) => [...same])].map(
            ({ address, exact }) => this.call("", "listen", { name: address, exact }),
          ),
        ],
        { discard: true, concurrency: "unbounded" },
      ),
    )
  }

  private send(
    [module, operation, args]: readonly [string, string, unknown],
    resume: Resume,
    isDeferred: boolean,
  ): number {
    const id = ++this.lastId
    this.pending.set(id, resume)
    this.queue.push([id, module, operation, args])
    if (this.queue.length >= maxBatch) this.flush()
    else if (isDeferred) this.deferTimer ??= setTimeout(() => this.flush(), deferral)
    else if (!this.scheduled) {
      this.scheduled = true
      setImmediate(() => {
        this.scheduled = false
        this.flush()
      })
    }
    return id
  }

  private flush(): void {
    clearTimeout(this.deferTimer)
    this.deferTimer = undefined
    const batch = this.queue
    this.queue = []
    if (batch.length > 0) this.transport?.send(batch)
  }

  private receive(batch: ReadonlyArray<Reply>): void {
    for (const reply of batch) {
      if (reply.length === 4) this.notify(reply[1], reply[2], reply[3])
      else this.settle(reply)
    }
  }

  private settle([id, ok, value]: Exclude<Reply, { readonly length: 4 }>): void {
    const resume = this.pending.get(id)
    this.pending.delete(id)
    if (resume === undefined) return
    if (ok) resume(Effect.succeed(value))
    else if (value.kind === "defect") resume(Effect.die(new Error(value.message)))
    else resume(Effect.fail(errorFrom(value)))
  }

  private notify(module: string, topic: string, data: unknown): void {
    const address = `${module}/${topic}`
    for (const listener of this.exactSubscriptions.get(address) ?? []) listener.onNotification({ module, topic, data })
    for (const listener of this.subscriptions) {
      if (address.startsWith(listener.address)) listener.onNotification({ module, topic, data })
    }
  }

  private handleClose(signal: (() => void) | undefined): void {
    this.transport = undefined
    this.isReady = false
    this.queue = []
    const waiting = [...this.pending.values()]
    this.pending.clear()
    for (const resume of waiting)
      resume(Effect.fail(unavailable("The connection to the engine was lost during the call; retry it")))
    signal?.()
  }
}
