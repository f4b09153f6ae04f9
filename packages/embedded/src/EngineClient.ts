/**
 * The caller's half: batches the calls of one turn of the event loop into one message, and dispatches responses and
 * notifications. When the connection is lost, the client reconnects until it succeeds.
 *
 * An owner that ends answers every call that its clients sent, so none is lost. If it dies, a call fails with `unavailable`
 * although it may have been committed: callers retry, and operations that must not run twice carry their own key. A client
 * that `holdsCalls` waits for the next owner instead: with a new call, and with one that may run twice.
 */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Effect, Fiber, SubscriptionRef } from "effect"
import { isLeaving, left, type Reply, type Request } from "./Protocol.ts"
import { type Connect, type Transport, errorFrom, unavailable } from "./Transport.ts"

type EngineClientError = TransientError | ConfigurationError
type Resume = (result: Effect.Effect<unknown, EngineClientError>) => void

/** A batch of this many calls is sent at once: the engine commits it while the next one fills. */
const maxBatch = 64

/** In milliseconds: how long a held call waits for a connection. */
const maxHoldMillis = 10_000

export interface CallOptions {
  /** Running it twice is as good as once: it may be sent to the next owner if its own died. */
  readonly isRepeatable?: boolean
}

export interface Notification {
  readonly module: string
  readonly topic: string
  readonly data: unknown
}

interface Call {
  readonly module: string
  readonly operation: string
  readonly args: unknown
  readonly options: CallOptions | undefined
  readonly resume: Resume
  /** When the caller made it. */
  readonly at: number
}

interface HeldCall {
  readonly call: Call
  readonly timer: NodeJS.Timeout
}

interface Subscription {
  readonly address: string
  /** An exact topic instead of a prefix; there may be very many. */
  readonly exact: boolean
  readonly onNotification: (notice: Notification) => void
}

export class EngineClient {
  readonly connected: SubscriptionRef.SubscriptionRef<boolean>
  private readonly holdsCalls: boolean
  private readonly pending = new Map<number, Call>()
  private readonly held = new Set<HeldCall>()
  private readonly subscriptions = new Set<Subscription>()
  private readonly exactSubscriptions = new Map<string, Set<Subscription>>()
  private readonly modules = new Map<string, unknown>()
  private transport: Transport | undefined
  /** Calls wait for this: a new owner must load the modules first. */
  private isReady = false
  /** The owner ends, and gets no more calls from here. */
  private isLeaving = false
  private queue: Array<Request> = []
  private scheduled = false
  private lastId = 0

  constructor(connected: SubscriptionRef.SubscriptionRef<boolean>, holdsCalls: boolean) {
    this.connected = connected
    this.holdsCalls = holdsCalls
  }

  call(
    module: string,
    operation: string,
    args: unknown,
    options?: CallOptions,
  ): Effect.Effect<unknown, EngineClientError> {
    return Effect.callback<unknown, EngineClientError>((resume) => {
      let isInterrupted = false
      const call: Call = {
        module,
        operation,
        args,
        options,
        at: this.holdsCalls ? performance.now() : 0,
        resume: (result) => {
          if (!isInterrupted) resume(result)
        },
      }
      const isControl = module === ""
      if (this.transport !== undefined && !this.isLeaving && (this.isReady || isControl)) this.send(call)
      // A registration or subscription is made again by every handshake.
      else if (isControl || !this.hold(call)) return resume(Effect.fail(unreachable()))
      return Effect.sync(() => {
        isInterrupted = true
      })
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
          Effect.tap(() =>
            Effect.sync(() => {
              this.isReady = true
              this.sendHeld()
            }),
          ),
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
            // For a program that waits for the next owner, the end of this one is no fault.
            Effect.andThen(
              (this.holdsCalls ? Effect.logDebug : Effect.logWarning)(
                "The connection to the engine of the data folder is lost; reconnecting",
              ),
            ),
            Effect.andThen(
              Effect.suspend(once).pipe(
                Effect.tapError(() => Effect.sleep(this.holdsCalls ? "50 millis" : "500 millis")),
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

  /** Waits for the next connection; false if the call must fail now. */
  private hold(call: Call): boolean {
    const remaining = call.at + maxHoldMillis - performance.now()
    if (!this.holdsCalls || remaining <= 0) return false
    const held: HeldCall = {
      call,
      timer: setTimeout(() => {
        this.held.delete(held)
        call.resume(Effect.fail(unreachable()))
      }, remaining),
    }
    this.held.add(held)
    return true
  }

  private sendHeld(): void {
    for (const { call, timer } of this.held) {
      clearTimeout(timer)
      this.send(call)
    }
    this.held.clear()
  }

  private send(call: Call): void {
    const id = ++this.lastId
    this.pending.set(id, call)
    this.queue.push([id, call.module, call.operation, call.args])
    if (this.queue.length >= maxBatch) this.flush()
    else if (!this.scheduled) {
      this.scheduled = true
      setImmediate(() => {
        this.scheduled = false
        this.flush()
      })
    }
  }

  private flush(): void {
    const batch = this.queue
    this.queue = []
    if (batch.length > 0) this.transport?.send(batch)
  }

  private receive(batch: ReadonlyArray<Reply>): void {
    for (const reply of batch) {
      if (isLeaving(reply)) this.leave()
      else if (reply.length === 4) this.notify(reply[1], reply[2], reply[3])
      else this.settle(reply)
    }
  }

  /** The owner ends. It answers everything up to the last request. */
  private leave(): void {
    this.isLeaving = true
    this.queue.push(left)
    this.flush()
  }

  private settle([id, ok, value]: Exclude<Reply, { readonly length: 4 }>): void {
    const resume = this.pending.get(id)?.resume
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
    this.isLeaving = false
    this.queue = []
    const waiting = [...this.pending.values()]
    this.pending.clear()
    for (const call of waiting) {
      if (call.options?.isRepeatable === true && this.hold(call)) continue
      call.resume(Effect.fail(unavailable("The connection to the engine was lost during the call; retry it")))
    }
    signal?.()
  }
}

const unreachable = () => unavailable("The engine of the data folder is unreachable; reconnecting")
