/**
 * One membership: one join of one topic by one socket. An idle one has no fiber; one is started when a message comes
 * and ends when the inbox is empty, so that messages are handled one after the other and waiting costs nothing.
 *
 * What belongs to it and what ends it:
 * - its fiber: interrupted by {@link JoinedChannel.stop}, ends by itself after a leave, a crash or an empty inbox;
 * - its scope, with the timers the channel forked there: closed by `stop`, after `leave` ran;
 * - its subscription: from before the channel's `join` until `stop`.
 *
 * `stop` is called when the socket is gone, the client left, the join was refused, the channel crashed, or the same
 * topic was joined again. It runs once; whoever calls it again gets the same fiber to wait for.
 *
 * What a client said before it hung up or joined anew is heard first: a page that sends a message and closes, or shows
 * the room again at once, meant it. An operator's end is at once.
 */
import { hasRole, type Identity } from "@armoricore/auth/Identity"
import { Cause, Effect, Exit, Fiber, Option, Scope } from "effect"
import type { Joined, Member, Params, Registered } from "./Channels.ts"
import { OutgoingFrame } from "./OutgoingFrame.ts"
import type { Message, Payload, Ref } from "./protocol/Message.ts"
import * as Refusals from "./Refusal.ts"
import type { Socket } from "./Socket.ts"
import type { Broadcast, BroadcastOptions } from "./Topics.ts"

/** More than this during one join: the join is refused, and the client tries again. */
const maxHeld = 1000

const leaveTimeout = "5 seconds"

/** For so long a membership that ends still handles what waits. */
const hearingTime = "5 seconds"

export class JoinedChannel implements Member {
  readonly topic: string
  readonly params: Params
  readonly joinRef: Ref
  state: unknown = undefined
  readonly #socket: Socket
  readonly #channel: Registered
  readonly #scope = Scope.makeUnsafe()
  #joined = false
  /** Whose place it takes, until that one's end was told. */
  #replaced: JoinedChannel | undefined = undefined
  /** Its join counts among what waits on the socket. */
  #joining = false
  /** Broadcasts and pushes that came while joining; `undefined` once joined. */
  #held: Array<Broadcast | OutgoingFrame> | undefined = []
  /** Broadcasts up to this `seq` were in the join's reply, however late they come. */
  #covers = 0
  #inbox: Array<Message> | undefined = undefined
  #busy = false
  #fiber: Fiber.Fiber<void> | undefined = undefined
  #stopping: Fiber.Fiber<void> | undefined = undefined
  /** The client knows that it is over. */
  #isEndTold = false

  constructor(socket: Socket, channel: Registered, params: Params, message: Message) {
    this.#socket = socket
    this.#channel = channel
    this.params = params
    this.topic = message.topic
    this.joinRef = message.joinRef
  }

  get identity(): Identity {
    return this.#socket.identity
  }

  get socketId(): string {
    return this.#socket.id
  }

  /** Asks the channel. `replaced` is the membership whose place this one takes. */
  start(message: Message, replaced: JoinedChannel | undefined): void {
    this.#socket.subscribe(this.topic, this)
    this.#joining = true
    this.#replaced = replaced
    this.#socket.waiting++
    this.#run(this.#join(message))
  }

  deliver(message: Message): void {
    if (this.#inbox === undefined) this.#inbox = [message]
    else this.#inbox.push(message)
    this.#socket.waiting++
    if (!this.#busy) this.#run(this.#serve())
  }

  receive(broadcast: Broadcast): void {
    if (this.#held !== undefined) {
      if (this.#held.length <= maxHeld) this.#held.push(broadcast)
    } else if (broadcast.seq === undefined || broadcast.seq > this.#covers) {
      this.#socket.send(broadcast.frame(this.#socket.serializer))
    }
  }

  /** The client joins again, from where it was, and is told what is still there and that it is not all. */
  miss(): void {
    this.#socket.dismiss(this)
  }

  send(event: string, payload: Payload, droppable: boolean): void {
    const body = this.#socket.serializer.push(this.joinRef, this.topic, event, payload)
    const frame = new OutgoingFrame(body, droppable)
    if (this.#held === undefined) this.#socket.send(frame)
    else this.#held.push(frame)
  }

  broadcast(event: string, payload: Payload, options: BroadcastOptions): Effect.Effect<void> {
    return this.#socket.broadcast(this.topic, event, payload, options)
  }

  listen(part: string): void {
    this.#socket.subscribe(this.topic, this, part)
  }

  unlisten(part: string): void {
    this.#socket.unsubscribe(this.topic, this, part)
  }

  stop(options?: { readonly hears: boolean }): Fiber.Fiber<void> {
    if (this.#stopping !== undefined) return this.#stopping
    this.#socket.unsubscribe(this.topic, this)
    const fiber = this.#busy ? this.#fiber : undefined
    this.#stopping = this.#socket.run(this.#end(fiber, options?.hears === true && this.#isSpokenTo))
    return this.#stopping
  }

  /** A join alone, or one that was left again, is nothing to wait for. */
  get #isSpokenTo(): boolean {
    return this.#joined || this.#inbox?.some(({ event }) => event !== "phx_leave") === true
  }

  #run(effect: Effect.Effect<void>): void {
    this.#busy = true
    // Nothing in here should throw, but a fault left unseen would leave the membership busy for ever.
    const guarded = Effect.catchCause(effect, (cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.interrupt : this.#crashed(cause),
    )
    const fiber = this.#socket.run(guarded)
    // It may be over already: a fiber that never waits ends before `run` returns.
    if (this.#busy) this.#fiber = fiber
  }

  #answered(): void {
    if (!this.#joining) return
    this.#joining = false
    this.#socket.done(1)
  }

  #rest(): void {
    this.#busy = false
    this.#fiber = undefined
  }

  #join(message: Message): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      // First the old one's `leave`, so that a channel never sees the same socket twice on a topic.
      if (this.#replaced !== undefined) yield* Fiber.await(this.#replaced.stop({ hears: true }))
      yield* this.#socket.ready(this.topic)
      const exit = yield* Effect.exit(Scope.provide(this.#channel.join(this, message.payload), this.#scope))
      const refusal = yield* this.#refusalOf(exit)
      if (Exit.isSuccess(exit) && refusal === undefined) this.#admit(message, exit.value)
      else this.#socket.refuse(message, refusal ?? Refusals.unavailable)
      this.#endReplaced()
      this.#answered()
      yield* this.#joined ? this.#serve() : this.#finish()
    })
  }

  /** Who was replaced while it was still joining could not tell the end of the one before it. */
  #endReplaced(): void {
    const replaced = this.#replaced
    if (replaced === undefined) return
    this.#replaced = undefined
    if (!replaced.#isEndTold) this.#socket.end(replaced, "phx_close", {})
    replaced.#endReplaced()
  }

  #refusalOf(exit: Exit.Exit<Joined, Refusals.Refusal>): Effect.Effect<Refusals.Refusal | undefined> {
    if (Exit.isSuccess(exit)) {
      return Effect.succeed((this.#held?.length ?? 0) > maxHeld ? Refusals.unavailable : undefined)
    }
    const refusal = Cause.findErrorOption(exit.cause)
    if (Option.isSome(refusal)) return Effect.succeed(refusal.value)
    return Effect.as(Effect.logError(`joining ${this.topic} crashed`, exit.cause), Refusals.joinCrashed)
  }

  #admit(message: Message, joined: Joined): void {
    this.#joined = true
    this.#socket.countJoin()
    this.state = joined.state
    this.#socket.reply(message, "ok", joined.reply)
    const held = this.#held ?? []
    this.#held = undefined
    this.#covers = joined.covers ?? 0
    for (const one of held) {
      if (one instanceof OutgoingFrame) this.#socket.send(one)
      else this.receive(one)
    }
  }

  #serve(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        const message = this.#inbox?.shift()
        if (message === undefined) break
        this.#socket.done(1)
        if (message.event === "phx_leave") return yield* this.#left(message)
        const crash = yield* this.#handle(message)
        if (crash !== undefined) return yield* this.#crashed(crash)
      }
      this.#inbox = undefined
      this.#rest()
    })
  }

  /** Answers one message; gives the cause when the channel crashed over it. */
  #handle(message: Message): Effect.Effect<Cause.Cause<unknown> | undefined> {
    return Effect.gen({ self: this }, function* () {
      const event = this.#channel.events.get(message.event)
      if (event === undefined) return void this.#socket.refuse(message, Refusals.unknownEvent(message.event))
      if (!event.guests && hasRole(this.identity, "guest")) {
        return void this.#socket.refuse(message, Refusals.unauthorized("guests may join and read, nothing else"))
      }
      const exit = yield* Effect.exit(Scope.provide(event.handle(this, message.payload), this.#scope))
      if (Exit.isSuccess(exit)) return void this.#socket.reply(message, "ok", exit.value)
      const refusal = Cause.findErrorOption(exit.cause)
      if (Option.isNone(refusal)) return exit.cause
      return void this.#socket.refuse(message, refusal.value)
    })
  }

  #left(message: Message): Effect.Effect<void> {
    return this.#finish(() => {
      this.#socket.reply(message, "ok", {})
      this.#isEndTold = true
      this.#socket.end(this, "phx_close", {})
    })
  }

  #crashed(cause: Cause.Cause<unknown>): Effect.Effect<void> {
    const finish = this.#finish(() => {
      this.#isEndTold = true
      this.#socket.end(this, "phx_error", { reason: "channel_crash" })
    })
    return Effect.andThen(Effect.logError(`the channel ${this.topic} crashed`, cause), finish)
  }

  /**
   * The membership's own fiber ends it: it rests first, or `stop` would interrupt the fiber that waits for it. Where it is
   * being stopped already, that one waits for this fiber.
   */
  #finish(tell: () => void = () => {}): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.#rest()
      this.#socket.forget(this)
      if (this.#stopping === undefined) yield* Fiber.await(this.stop())
      tell()
      for (const late of this.#take()) this.#socket.refuseUnmatched(late)
    })
  }

  #take(): ReadonlyArray<Message> {
    const late = this.#inbox ?? []
    this.#inbox = undefined
    this.#socket.done(late.length)
    return late
  }

  #end(fiber: Fiber.Fiber<void> | undefined, hears: boolean): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      if (fiber !== undefined) {
        if (hears) yield* Effect.timeoutOption(Fiber.await(fiber), hearingTime)
        yield* Fiber.interrupt(fiber)
        // Whatever still waits was sent to a membership that is gone: it must not count for ever, and a leave got its way.
        for (const late of this.#take()) {
          if (late.event === "phx_leave") this.#socket.reply(late, "ok", {})
          else this.#socket.refuseUnmatched(late)
        }
      }
      this.#answered()
      const leave = this.#joined ? this.#channel.leave : undefined
      if (leave !== undefined) {
        const exit = yield* Effect.exit(Effect.timeout(leave(this), leaveTimeout))
        if (Exit.isFailure(exit)) yield* Effect.logError(`leaving ${this.topic} failed`, exit.cause)
      }
      yield* Scope.close(this.#scope, Exit.void)
    })
  }
}
