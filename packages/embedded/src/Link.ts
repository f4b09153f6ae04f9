/**
 * The caller's half: gathers the calls of one turn of the event loop into one message, and hands answers and notices to
 * whoever waits for them. When the other side goes, what waits fails and a new way is sought until there is one.
 *
 * A call whose connection broke fails with `unavailable` although it may have happened: callers repeat it, and operations
 * that must not happen twice carry their own key.
 */
import type { ConfigurationError, TransientError } from "@armoricore/domain/Errors"
import { Effect, Fiber, SubscriptionRef } from "effect"
import type { Reply, Request } from "./Protocol.ts"
import { type Dial, type Transport, failure, unavailable } from "./Transport.ts"

type LinkError = TransientError | ConfigurationError
type Resume = (result: Effect.Effect<unknown, LinkError>) => void

/** So many calls are a transaction worth its way to the disk: the engine works on them while more gather here. */
const enough = 64

export interface Notice {
  readonly module: string
  readonly topic: string
  readonly data: unknown
}

interface Listening {
  readonly address: string
  /** Not a prefix but the whole address; there may be very many of these. */
  readonly exact: boolean
  readonly onNotice: (notice: Notice) => void
}

export class Link {
  readonly connected: SubscriptionRef.SubscriptionRef<boolean>
  private readonly waiting = new Map<number, Resume>()
  private readonly listeners = new Set<Listening>()
  private readonly exactListeners = new Map<string, Set<Listening>>()
  private readonly modules = new Map<string, unknown>()
  private transport: Transport | undefined
  /** Calls wait for this: a new owner must load the modules first. */
  private greeted = false
  private outbox: Array<Request> = []
  private scheduled = false
  private lastId = 0

  constructor(connected: SubscriptionRef.SubscriptionRef<boolean>) {
    this.connected = connected
  }

  call(module: string, operation: string, args: unknown): Effect.Effect<unknown, LinkError> {
    return Effect.callback<unknown, LinkError>((resume) => {
      if (this.transport === undefined || (!this.greeted && module !== ""))
        return resume(Effect.fail(unavailable("The engine is not reached; trying again")))
      const id = this.send(module, operation, args, resume)
      return Effect.sync(() => void this.waiting.delete(id))
    })
  }

  /** Makes a module's operations known to the engine, now and after every reconnect. */
  register(name: string, url: string, options: unknown): Effect.Effect<void, LinkError> {
    const args = { name, url, options }
    this.modules.set(name, args)
    return Effect.asVoid(this.call("", "register", args))
  }

  /** Listens until the effect that it returns is run. */
  listen(
    address: string,
    onNotice: Listening["onNotice"],
    exact: boolean,
  ): Effect.Effect<Effect.Effect<void>, LinkError> {
    return Effect.suspend(() => {
      const listening = { address, exact, onNotice }
      this.add(listening)
      const stop = Effect.suspend(() => {
        this.remove(listening)
        return Effect.ignore(this.call("", "unlisten", { name: address, exact }))
      })
      return this.call("", "listen", { name: address, exact }).pipe(
        Effect.as(stop),
        Effect.onError(() => Effect.sync(() => this.remove(listening))),
      )
    })
  }

  private add(listening: Listening): void {
    if (!listening.exact) return void this.listeners.add(listening)
    const same = this.exactListeners.get(listening.address)
    if (same === undefined) this.exactListeners.set(listening.address, new Set([listening]))
    else same.add(listening)
  }

  private remove(listening: Listening): void {
    this.listeners.delete(listening)
    const same = this.exactListeners.get(listening.address)
    if (same?.delete(listening) === true && same.size === 0) this.exactListeners.delete(listening.address)
  }

  /** Keeps a way open until the scope ends. The first one must succeed, later ones are sought every half second. */
  open = (dial: Dial) =>
    Effect.gen({ self: this }, function* () {
      const lost: { signal: (() => void) | undefined } = { signal: undefined }
      const once = () => {
        // The way before may have gone in the very moment of its greeting.
        this.greeted = false
        return dial({ onBatch: (batch) => this.accept(batch), onClose: () => this.drop(lost.signal) }).pipe(
          Effect.tap((transport) => Effect.sync(() => void (this.transport = transport))),
          Effect.tap(() => this.greet()),
          Effect.tap(() => Effect.sync(() => void (this.greeted = true))),
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
            Effect.andThen(Effect.logWarning("The engine of the data folder is gone; trying again")),
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

  /** A new way knows nothing of what was registered and listened to on the old one. */
  private greet(): Effect.Effect<void, LinkError> {
    return Effect.suspend(() =>
      Effect.all(
        [
          ...[...this.modules.values()].map((args) => this.call("", "register", args)),
          ...[...this.listeners, ...[...this.exactListeners.values()].flatMap((same) => [...same])].map(
            ({ address, exact }) => this.call("", "listen", { name: address, exact }),
          ),
        ],
        { discard: true, concurrency: "unbounded" },
      ),
    )
  }

  private send(module: string, operation: string, args: unknown, resume: Resume): number {
    const id = ++this.lastId
    this.waiting.set(id, resume)
    this.outbox.push([id, module, operation, args])
    if (this.outbox.length >= enough) this.flush()
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
    const batch = this.outbox
    this.outbox = []
    if (batch.length > 0) this.transport?.send(batch)
  }

  private accept(batch: ReadonlyArray<Reply>): void {
    for (const reply of batch) {
      if (reply.length === 4) this.notify(reply[1], reply[2], reply[3])
      else this.settle(reply)
    }
  }

  private settle([id, ok, value]: Exclude<Reply, { readonly length: 4 }>): void {
    const resume = this.waiting.get(id)
    this.waiting.delete(id)
    if (resume === undefined) return
    if (ok) resume(Effect.succeed(value))
    else if (value.kind === "defect") resume(Effect.die(new Error(value.message)))
    else resume(Effect.fail(failure(value)))
  }

  private notify(module: string, topic: string, data: unknown): void {
    const address = `${module}/${topic}`
    for (const listener of this.exactListeners.get(address) ?? []) listener.onNotice({ module, topic, data })
    for (const listener of this.listeners) {
      if (address.startsWith(listener.address)) listener.onNotice({ module, topic, data })
    }
  }

  private drop(signal: (() => void) | undefined): void {
    this.transport = undefined
    this.greeted = false
    this.outbox = []
    const waiting = [...this.waiting.values()]
    this.waiting.clear()
    for (const resume of waiting) resume(Effect.fail(unavailable("The engine went away during the call; repeat it")))
    signal?.()
  }
}
