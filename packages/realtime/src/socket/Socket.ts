/**
 * One connection: it decodes what comes, decides by the lifecycle table, and hands messages to memberships.
 *
 * The supervision tree, with who owns each part and what ends it:
 *
 * ```
 * Endpoint (the layer's scope; ended by shutdown, which first drains)
 * ├─ sweep fiber             looks for idle sockets, and ended and revoked tokens
 * └─ sockets (none has a fiber while it is open)
 *    ├─ farewell fiber       started when the connection is gone: stops every membership and waits for it
 *    └─ memberships (JoinedChannel, none has a fiber while idle)
 *       ├─ message fiber     ended by an empty inbox, a leave, a crash, or `stop`
 *       └─ scope             timers that the channel forked; closed by `stop`
 * ```
 *
 * The endpoint owns the farewells and waits for them at shutdown; a membership's end touches nothing else. A fault in
 * one message ends no socket: only a frame that is no message does (1011).
 */
import { allowsTopic, type Identity } from "@armoricore/auth/Identity"
import type { Revocations } from "@armoricore/auth/Revocations"
import type { Tokens } from "@armoricore/auth/Tokens"
import { type Clock, Effect, Fiber } from "effect"
import type { ChannelRegistry } from "../channel/ChannelRegistry.ts"
import type { OpenSocket } from "./OpenSocket.ts"
import { ChannelMembership } from "./ChannelMembership.ts"
import * as MonotonicClock from "@armoricore/worker/MonotonicClock"
import { isTooDeep, type Limits, maxDepth } from "./Limits.ts"
import { type StateSnapshot, OutgoingFrame } from "./OutgoingFrame.ts"
import type { ConnectionLease } from "./UsageLimits.ts"
import * as CloseCode from "../protocol/CloseCode.ts"
import { decide } from "../protocol/Lifecycle.ts"
import { fitsNameLimit, type Message, type Payload, type Serializer, type Status } from "../protocol/Message.ts"
import * as TokenRefresh from "./TokenRefresh.ts"
import * as ChannelErrors from "../channel/ChannelError.ts"
import type { BroadcastOptions, Subscriber, Topics } from "../pubsub/Topics.ts"
import type { Receiver, Transport } from "./transports/Transport.ts"

/** What all sockets of an endpoint share. */
export interface SocketContext {
  readonly channels: ChannelRegistry["Service"]
  readonly topics: Topics["Service"]
  readonly tokens: Tokens["Service"]
  readonly revocations: Revocations["Service"]
  readonly clock: Clock.Clock
  readonly limits: Limits
  /** Since the start. */
  readonly counts: { joins: number }
  /** Starts a fiber with the endpoint's loggers and tracer; its owner must end it. */
  readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  /** The connection is over: somebody must run the socket's `farewell`. */
  readonly onClosed: (socket: Socket) => void
}

const socketIdPrefix = crypto.randomUUID().slice(0, 13)
let socketCount = 0

export class Socket implements Receiver, OpenSocket {
  readonly serializer: Serializer
  readonly openedAt: number
  /** Whose limits it counts against. */
  readonly lease: ConnectionLease
  identity: Identity
  /** Messages that wait for an answer. */
  pendingMessages = 0
  readonly #number = ++socketCount
  readonly #context: SocketContext
  readonly #transport: Transport
  readonly #memberships = new Map<string, ChannelMembership>()
  #lastActivityAt: number
  #closing = false
  /** An operator ended it: what still waits for an answer is not heard. */
  #isKicked = false
  /** Not read: too many messages wait. */
  #backlogged = false
  /** Messages refused with `rate_limit` since the last sweep; at the limit the socket is not read until the next. */
  #rateLimitReplies = 0

  constructor(
    context: SocketContext,
    transport: Transport,
    identity: Identity,
    serializer: Serializer,
    lease: ConnectionLease,
  ) {
    this.#context = context
    this.#transport = transport
    this.identity = identity
    this.serializer = serializer
    this.lease = lease
    this.openedAt = context.clock.currentTimeMillisUnsafe()
    this.#lastActivityAt = MonotonicClock.millis(context.clock)
  }

  /** From here on it is spoken to. */
  open(): void {
    this.#transport.attach(this)
  }

  onClosed(): void {
    this.#closing = true
    this.#context.onClosed(this)
  }

  onOverflow(): void {
    this.close(CloseCode.slowConsumer)
  }

  /** It must not be lost again: there would be nothing left to tell that it is missing. */
  snapshotFrame({ topic, event, payload }: StateSnapshot): OutgoingFrame | undefined {
    if (!this.#memberships.has(topic)) return undefined
    return new OutgoingFrame(this.serializer.broadcast(topic, event, payload()), false)
  }

  onActivity(): void {
    this.#lastActivityAt = MonotonicClock.millis(this.#context.clock)
  }

  /** Stops every membership and waits for it: what was said before the end counts, though nobody waits for the answer. */
  get drain(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const stopped = Array.from(this.#memberships.values(), (member) => member.stop({ drain: !this.#isKicked }))
      this.#memberships.clear()
      return Effect.asVoid(Fiber.awaitAll(stopped))
    })
  }

  /** Unique over all nodes. Made when asked: ten thousand idle sockets need none. */
  get id(): string {
    return `${socketIdPrefix}-${this.#number.toString(36)}`
  }

  run(effect: Effect.Effect<void>): Fiber.Fiber<void> {
    return this.#context.run(effect)
  }

  send(frame: OutgoingFrame): void {
    this.#transport.send(frame)
  }

  reply(message: Message, status: Status, response: Payload): void {
    if (message.ref === null) return
    this.send(new OutgoingFrame(this.serializer.reply(message, status, response), false))
  }

  replyError(message: Message, refusal: ChannelErrors.ChannelError): void {
    this.reply(message, "error", refusal.response)
  }

  replyUnmatched(message: Message): void {
    this.replyError({ ...message, joinRef: null }, ChannelErrors.unmatchedTopic)
  }

  /** Tells the client that a membership is over. */
  sendEnd(member: ChannelMembership, event: "phx_close" | "phx_error", payload: object): void {
    this.send(new OutgoingFrame(this.serializer.end(member.joinRef, member.topic, event, payload), false))
  }

  removeMembership(member: ChannelMembership): void {
    if (this.#memberships.get(member.topic) === member) this.#memberships.delete(member.topic)
  }

  subscribe(topic: string, subscriber: Subscriber, subtopic?: string): void {
    this.#context.topics.subscribe(topic, subscriber, subtopic)
  }

  unsubscribe(topic: string, subscriber: Subscriber, subtopic?: string): void {
    this.#context.topics.unsubscribe(topic, subscriber, subtopic)
  }

  /** What other nodes broadcast on the topic is heard. */
  awaitReady(topic: string): Effect.Effect<void> {
    return this.#context.topics.awaitReady(topic)
  }

  broadcast(topic: string, event: string, payload: Payload, options: BroadcastOptions): Effect.Effect<void> {
    return this.#context.topics.broadcast(topic, event, payload, options)
  }

  /** That many messages no longer wait. */
  messagesDone(count: number): void {
    this.pendingMessages -= count
    if (this.#backlogged && this.pendingMessages <= this.#context.limits.maxPendingMessages / 2) {
      this.#backlogged = false
      if (!this.#isFlooding) this.#transport.resume()
    }
  }

  /** What is queued goes out first, as far as the client takes it; the connection is cut after the close timeout. */
  close(why: CloseCode.CloseCode): void {
    if (this.#closing) return
    this.#closing = true
    if (this.#isPaused) this.#transport.resume()
    this.#transport.close(why)
  }

  /** Closes the socket when its time is over; called now and then. `now`: of the time that only goes forward. */
  sweep(now: number, idleMillis: number): void {
    // A paused socket is not heard because nobody listens.
    if (this.#isPaused) this.#lastActivityAt = now
    const wasFlooding = this.#isFlooding
    this.#rateLimitReplies = 0
    if (wasFlooding && !this.#backlogged) this.#transport.resume()
    this.#transport.sweep(now)
    if (this.identity.expiresAt <= this.#context.clock.currentTimeMillisUnsafe()) this.close(CloseCode.tokenExpired)
    else if (now - this.#lastActivityAt >= idleMillis) this.close(CloseCode.idle)
  }

  topics(): ReadonlyArray<string> {
    return [...this.#memberships.keys()]
  }

  kick(reason: string): void {
    this.#closeKicked(CloseCode.kicked(reason))
  }

  kickFrom(topic: string, reason: string): boolean {
    const member = this.#memberships.get(topic)
    if (member === undefined) return false
    this.#memberships.delete(topic)
    const ended = Effect.sync(() => this.sendEnd(member, "phx_close", { reason }))
    this.run(Effect.andThen(Fiber.await(member.stop()), ended))
    return true
  }

  /** Its client shall join again. */
  forceRejoin(member: ChannelMembership): void {
    this.removeMembership(member)
    const ended = Effect.sync(() => this.sendEnd(member, "phx_error", { reason: "missed" }))
    this.run(Effect.andThen(Fiber.await(member.stop({ drain: true })), ended))
  }

  /** Closes the socket if its token was revoked. */
  checkRevocations(): void {
    if (this.#context.revocations.isRevoked(this.identity)) this.#closeKicked(CloseCode.revoked)
  }

  #closeKicked(why: CloseCode.CloseCode): void {
    this.#isKicked = true
    this.close(why)
  }

  get #isFlooding(): boolean {
    return this.#rateLimitReplies >= this.#context.limits.maxRateLimitReplies
  }

  get #isPaused(): boolean {
    return this.#backlogged || this.#isFlooding
  }

  receive(bytes: Buffer, isBinary: boolean): void {
    if (this.#closing) return
    const { clock, limits } = this.#context
    const now = MonotonicClock.millis(clock)
    this.#lastActivityAt = now
    const tooLarge = bytes.length > limits.maxMessageBytes
    const message = this.#decode(bytes, isBinary, tooLarge)
    if (message === undefined) return this.close(CloseCode.undecodableFrame)
    // One that is too large counts as many as would fit into it, since it cost as much to receive.
    const count = Math.max(1, Math.ceil(bytes.length / limits.maxMessageBytes))
    const wait = this.lease.user.consumeMessages(limits.userMessages, now, count)
    if (wait > 0) this.#replyRateLimited(message, wait, count)
    else this.#onMessage(message, tooLarge, now)
  }

  /** Of what is refused anyway only the addresses are read. */
  #decode(bytes: Buffer, isBinary: boolean, tooLarge: boolean): Message | undefined {
    const { serializer } = this
    if (isBinary) return serializer.decodeBinary(bytes)
    return (tooLarge ? serializer.decodeHeader?.(bytes) : undefined) ?? serializer.decodeText(bytes.toString())
  }

  /** The answer is cheap, yet reading and answering a flood without end is not: after some answers reading stops. */
  #replyRateLimited(message: Message, wait: number, count = 1): void {
    this.replyError(message, ChannelErrors.rateLimit(wait))
    const before = this.#isPaused
    this.#rateLimitReplies += count
    if (this.#isFlooding && !before) this.#transport.pause()
  }

  #onMessage(message: Message, tooLarge: boolean, now: number): void {
    const { limits } = this.#context
    const current = this.#memberships.get(message.topic)
    const step = decide(message, current, this.#memberships.size, limits.maxTopics)
    if (step === "stale") return
    if (tooLarge) return this.replyError(message, ChannelErrors.tooLarge(limits.maxMessageBytes))
    switch (step) {
      case "heartbeat":
      case "leave unjoined":
        return this.reply(message, "ok", {})
      case "unmatched":
        return this.replyUnmatched(message)
      case "too many":
        return this.replyError(message, ChannelErrors.tooManyChannels)
    }
    if (isTooDeep(message.payload, maxDepth)) {
      return this.replyError(message, ChannelErrors.invalidPayload("", `nested deeper than ${maxDepth} levels`))
    }
    if (step === "join" || step === "replace") this.#join(message, current, now)
    else if (message.event === TokenRefresh.refreshEvent) this.#refresh(message)
    else current?.deliver(message)
    if (this.pendingMessages >= limits.maxPendingMessages && !this.#backlogged) {
      this.#backlogged = true
      this.#transport.pause()
    }
  }

  countJoin(): void {
    this.#context.counts.joins++
  }

  #join(message: Message, current: ChannelMembership | undefined, now: number): void {
    const { limits } = this.#context
    const wait =
      this.lease.user.consumeJoin(limits.userJoins, now) || this.lease.address.consumeJoin(limits.addressJoins, now)
    if (wait > 0) return this.#replyRateLimited(message, wait)
    const found = fitsNameLimit(message.topic) ? this.#context.channels.find(message.topic) : undefined
    if (found === undefined) return this.replyUnmatched(message)
    const member = new ChannelMembership(this, found.channel, found.params, message)
    this.#memberships.set(message.topic, member)
    member.start(message, current)
  }

  /** A new token of the same user takes the old one's place. */
  #refresh(message: Message): void {
    const refreshed = Effect.match(TokenRefresh.verify(this.#context, this.identity, message.payload), {
      onSuccess: (identity) => {
        this.identity = identity
        this.reply(message, "ok", { expires_at: new Date(identity.expiresAt).toISOString() })
        for (const topic of this.#memberships.keys())
          if (!allowsTopic(identity, topic)) this.kickFrom(topic, "unauthorized")
      },
      onFailure: (refusal) => this.replyError(message, refusal),
    })
    this.pendingMessages++
    this.run(
      Effect.ensuring(
        refreshed,
        Effect.sync(() => this.messagesDone(1)),
      ),
    )
  }
}
