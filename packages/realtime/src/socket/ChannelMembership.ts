/**
 * One membership: one join of one topic by one socket. An idle one has no fiber; one is started when a message comes
 * and ends when the inbox is empty, so that messages are handled one after the other and waiting costs nothing.
 *
 * What belongs to it and what ends it:
 * - its fiber: interrupted by {@link ChannelMembership.stop}, ends by itself after a leave, a crash or an empty inbox;
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
import type { UntypedJoinResult, UntypedMembership, Params, ChannelDefinition } from "../channel/ChannelRegistry.ts"
import { OutgoingFrame } from "./OutgoingFrame.ts"
import type { Message, Payload, Ref } from "../protocol/Message.ts"
import * as ChannelErrors from "../channel/ChannelError.ts"
import type { Socket } from "./Socket.ts"
import type { Broadcast, BroadcastOptions } from "../pubsub/Topics.ts"

/** More than this during one join: the join is refused, and the client tries again. */
const maxBuffered = 1000

const leaveTimeout = "5 seconds"

/** For so long a membership that ends still handles what waits. */
const drainTimeout = "5 seconds"

export class ChannelMembership implements UntypedMembership {
  readonly topic: string
  readonly params: Params
  readonly joinRef: Ref
  state: unknown = undefined
  readonly #socket: Socket
  readonly #channel: ChannelDefinition
  readonly #scope = Scope.makeUnsafe()
  #joined = false
  /** Whose place it takes, until that one's end was told. */
  #replaced: ChannelMembership | undefined = undefined
  /** Its join counts among what waits on the socket. */
  #joining = false
  /** Broadcasts and pushes that came while joining; `undefined` once joined. */
  #buffered: Array<Broadcast | OutgoingFrame> | undefined = []
  /** Broadcasts up to this `seq` were in the join's reply, however late they come. */
  #upToSeq = 0
  #inbox: Array<Message> | undefined = undefined
  #busy = false
  #fiber: Fiber.Fiber<void> | undefined = undefined
  #stopping: Fiber.Fiber<void> | undefined = undefined
  /** The client knows that it is over. */
  #isEndSent = false

  constructor(socket: Socket, channel: ChannelDefinition, params: Params, message: Message) {
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
  start(message: Message, replaced: ChannelMembership | undefined): void {
    this.#socket.subscribe(this.topic, this)
    this.#joining = true
    this.#replaced = replaced
    this.#socket.pendingMessages++
    this.#run(this.#join(message))
  }

  deliver(message: Message): void {
    if (this.#inbox === undefined) this.#inbox = [message]
    else this.#inbox.push(message)
    this.#socket.pendingMessages++
    if (!this.#busy) this.#run(this.#processInbox())
  }

  receive(broadcast: Broadcast): void {
    if (this.#buffered !== undefined) {
      if (this.#buffered.length <= maxBuffered) this.#buffered.push(broadcast)
    } else if (broadcast.seq === undefined || broadcast.seq > this.#upToSeq) {
      this.#socket.send(broadcast.frame(this.#socket.serializer))
    }
  }

  /** The client joins again, from where it was, and is told what is still there and that it is not all. */
  onGap(): void {
    this.#socket.forceRejoin(this)
  }

  send(event: string, payload: Payload, droppable: boolean): void {
    const body = this.#socket.serializer.push(this.joinRef, this.topic, event, payload)
    const frame = new OutgoingFrame(body, droppable)
    if (this.#buffered === undefined) this.#socket.send(frame)
    else this.#buffered.push(frame)
  }

  broadcast(event: string, payload: Payload, options: BroadcastOptions): Effect.Effect<void> {
    return this.#socket.broadcast(this.topic, event, payload, options)
  }

  listen(subtopic: string): void {
    this.#socket.subscribe(this.topic, this, subtopic)
  }

  unlisten(subtopic: string): void {
    this.#socket.unsubscribe(this.topic, this, subtopic)
  }

  stop(options?: { readonly drain: boolean }): Fiber.Fiber<void> {
    if (this.#stopping !== undefined) return this.#stopping
    this.#socket.unsubscribe(this.topic, this)
    const fiber = this.#busy ? this.#fiber : undefined
    this.#stopping = this.#socket.run(this.#shutDown(fiber, options?.drain === true && this.#hasWorkToDrain))
    return this.#stopping
  }

  /** A join alone, or one that was left again, is nothing to wait for. */
  get #hasWorkToDrain(): boolean {
    return this.#joined || this.#inbox?.some(({ event }) => event !== "phx_leave") === true
  }

  #run(effect: Effect.Effect<void>): void {
    this.#busy = true
    // Nothing in here should throw, but a fault left unseen would leave the membership busy for ever.
    const guarded = Effect.catchCause(effect, (cause) =>
      Cause.hasInterruptsOnly(cause) ? Effect.interrupt : this.#handleCrash(cause),
    )
    const fiber = this.#socket.run(guarded)
    // It may be over already: a fiber that never waits ends before `run` returns.
    if (this.#busy) this.#fiber = fiber
  }

  #settleJoin(): void {
    if (!this.#joining) return
    this.#joining = false
    this.#socket.messagesDone(1)
  }

  #becomeIdle(): void {
    this.#busy = false
    this.#fiber = undefined
  }

  #join(message: Message): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      // First the old one's `leave`, so that a channel never sees the same socket twice on a topic.
      if (this.#replaced !== undefined) yield* Fiber.await(this.#replaced.stop({ drain: true }))
      yield* this.#socket.awaitReady(this.topic)
      const exit = yield* Effect.exit(Scope.provide(this.#channel.join(this, message.payload), this.#scope))
      const refusal = yield* this.#joinErrorOf(exit)
      if (Exit.isSuccess(exit) && refusal === undefined) this.#completeJoin(message, exit.value)
      else this.#socket.replyError(message, refusal ?? ChannelErrors.unavailable)
      this.#endReplaced()
      this.#settleJoin()
      yield* this.#joined ? this.#processInbox() : this.#finish()
    })
  }

  /** Who was replaced while it was still joining could not tell the end of the one before it. */
  #endReplaced(): void {
    const replaced = this.#replaced
    if (replaced === undefined) return
    this.#replaced = undefined
    if (!replaced.#isEndSent) this.#socket.sendEnd(replaced, "phx_close", {})
    replaced.#endReplaced()
  }

  #joinErrorOf(
    exit: Exit.Exit<UntypedJoinResult, ChannelErrors.ChannelError>,
  ): Effect.Effect<ChannelErrors.ChannelError | undefined> {
    if (Exit.isSuccess(exit)) {
      return Effect.succeed((this.#buffered?.length ?? 0) > maxBuffered ? ChannelErrors.unavailable : undefined)
    }
    const refusal = Cause.findErrorOption(exit.cause)
    if (Option.isSome(refusal)) return Effect.succeed(refusal.value)
    return Effect.as(Effect.logError(`joining ${this.topic} crashed`, exit.cause), ChannelErrors.joinCrashed)
  }

  #completeJoin(message: Message, joined: UntypedJoinResult): void {
    this.#joined = true
    this.#socket.countJoin()
    this.state = joined.state
    this.#socket.reply(message, "ok", joined.reply)
    const held = this.#buffered ?? []
    this.#buffered = undefined
    this.#upToSeq = joined.upToSeq ?? 0
    for (const one of held) {
      if (one instanceof OutgoingFrame) this.#socket.send(one)
      else this.receive(one)
    }
  }

  #processInbox(): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      for (;;) {
        const message = this.#inbox?.shift()
        if (message === undefined) break
        this.#socket.messagesDone(1)
        if (message.event === "phx_leave") return yield* this.#handleLeave(message)
        const crash = yield* this.#handle(message)
        if (crash !== undefined) return yield* this.#handleCrash(crash)
      }
      this.#inbox = undefined
      this.#becomeIdle()
    })
  }

  /** Answers one message; gives the cause when the channel crashed over it. */
  #handle(message: Message): Effect.Effect<Cause.Cause<unknown> | undefined> {
    return Effect.gen({ self: this }, function* () {
      const event = this.#channel.events.get(message.event)
      if (event === undefined) return void this.#socket.replyError(message, ChannelErrors.unknownEvent(message.event))
      if (!event.guests && hasRole(this.identity, "guest")) {
        return void this.#socket.replyError(
          message,
          ChannelErrors.unauthorized("guests may join and read, nothing else"),
        )
      }
      const exit = yield* Effect.exit(Scope.provide(event.handle(this, message.payload), this.#scope))
      if (Exit.isSuccess(exit)) return void this.#socket.reply(message, "ok", exit.value)
      const refusal = Cause.findErrorOption(exit.cause)
      if (Option.isNone(refusal)) return exit.cause
      return void this.#socket.replyError(message, refusal.value)
    })
  }

  #handleLeave(message: Message): Effect.Effect<void> {
    return this.#finish(() => {
      this.#socket.reply(message, "ok", {})
      this.#isEndSent = true
      this.#socket.sendEnd(this, "phx_close", {})
    })
  }

  #handleCrash(cause: Cause.Cause<unknown>): Effect.Effect<void> {
    const finish = this.#finish(() => {
      this.#isEndSent = true
      this.#socket.sendEnd(this, "phx_error", { reason: "channel_crash" })
    })
    return Effect.andThen(Effect.logError(`the channel ${this.topic} crashed`, cause), finish)
  }

  /**
   * The membership's own fiber ends it: it rests first, or `stop` would interrupt the fiber that waits for it. Where it is
   * being stopped already, that one waits for this fiber.
   */
  #finish(tell: () => void = () => {}): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      this.#becomeIdle()
      this.#socket.removeMembership(this)
      if (this.#stopping === undefined) yield* Fiber.await(this.stop())
      tell()
      for (const late of this.#takePending()) this.#socket.replyUnmatched(late)
    })
  }

  #takePending(): ReadonlyArray<Message> {
    const late = this.#inbox ?? []
    this.#inbox = undefined
    this.#socket.messagesDone(late.length)
    return late
  }

  #shutDown(fiber: Fiber.Fiber<void> | undefined, hears: boolean): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      if (fiber !== undefined) {
        if (hears) yield* Effect.timeoutOption(Fiber.await(fiber), drainTimeout)
        yield* Fiber.interrupt(fiber)
        // Whatever still waits was sent to a membership that is gone: it must not count for ever, and a leave got its way.
        for (const late of this.#takePending()) {
          if (late.event === "phx_leave") this.#socket.reply(late, "ok", {})
          else this.#socket.replyUnmatched(late)
        }
      }
      this.#settleJoin()
      const leave = this.#joined ? this.#channel.leave : undefined
      if (leave !== undefined) {
        const exit = yield* Effect.exit(Effect.timeout(leave(this), leaveTimeout))
        if (Exit.isFailure(exit)) yield* Effect.logError(`leaving ${this.topic} failed`, exit.cause)
      }
      yield* Scope.close(this.#scope, Exit.void)
    })
  }
}
