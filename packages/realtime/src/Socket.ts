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
import { admitsTopic, type Identity } from "@armoricore/auth/Identity"
import type { Revocations } from "@armoricore/auth/Revocations"
import type { Tokens } from "@armoricore/auth/Tokens"
import { type Clock, Effect, Fiber } from "effect"
import type { Channels } from "./Channels.ts"
import type { Connected } from "./Connected.ts"
import { JoinedChannel } from "./JoinedChannel.ts"
import * as Elapsed from "./Elapsed.ts"
import { isTooDeep, type Limits, maxDepth } from "./Limits.ts"
import { type Latest, OutgoingFrame } from "./OutgoingFrame.ts"
import type { Place } from "./Parties.ts"
import * as CloseCode from "./protocol/CloseCode.ts"
import { decide } from "./protocol/Lifecycle.ts"
import { fits, type Message, type Payload, type Serializer, type Status } from "./protocol/Message.ts"
import * as Refresh from "./Refresh.ts"
import * as Refusals from "./Refusal.ts"
import type { BroadcastOptions, Subscriber, Topics } from "./Topics.ts"
import type { Receiver, Transport } from "./Transport.ts"

/** What all sockets of an endpoint share. */
export interface Surroundings {
  readonly channels: Channels["Service"]
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
  readonly gone: (socket: Socket) => void
}

const node = crypto.randomUUID().slice(0, 13)
let count = 0

export class Socket implements Receiver, Connected {
  readonly serializer: Serializer
  readonly openedAt: number
  /** Whose limits it counts against. */
  readonly place: Place
  identity: Identity
  /** Messages that wait for an answer. */
  waiting = 0
  readonly #number = ++count
  readonly #surroundings: Surroundings
  readonly #transport: Transport
  readonly #members = new Map<string, JoinedChannel>()
  #heardAt: number
  #closing = false
  /** An operator ended it: what still waits for an answer is not heard. */
  #isExpelled = false
  /** Not read: too many messages wait. */
  #backlogged = false
  /** Messages refused with `rate_limit` since the last sweep; at the limit the socket is not read until the next. */
  #limited = 0

  constructor(
    surroundings: Surroundings,
    transport: Transport,
    identity: Identity,
    serializer: Serializer,
    place: Place,
  ) {
    this.#surroundings = surroundings
    this.#transport = transport
    this.identity = identity
    this.serializer = serializer
    this.place = place
    this.openedAt = surroundings.clock.currentTimeMillisUnsafe()
    this.#heardAt = Elapsed.millis(surroundings.clock)
  }

  /** From here on it is spoken to. */
  open(): void {
    this.#transport.attach(this)
  }

  gone(): void {
    this.#closing = true
    this.#surroundings.gone(this)
  }

  overflowed(): void {
    this.close(CloseCode.slowConsumer)
  }

  /** It must not be lost again: there would be nothing left to tell that it is missing. */
  latest({ topic, event, payload }: Latest): OutgoingFrame | undefined {
    if (!this.#members.has(topic)) return undefined
    return new OutgoingFrame(this.serializer.broadcast(topic, event, payload()), false)
  }

  heard(): void {
    this.#heardAt = Elapsed.millis(this.#surroundings.clock)
  }

  /** Stops every membership and waits for it: what was said before the end counts, though nobody waits for the answer. */
  get farewell(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const stopped = Array.from(this.#members.values(), (member) => member.stop({ hears: !this.#isExpelled }))
      this.#members.clear()
      return Effect.asVoid(Fiber.awaitAll(stopped))
    })
  }

  /** Unique over all nodes. Made when asked: ten thousand idle sockets need none. */
  get id(): string {
    return `${node}-${this.#number.toString(36)}`
  }

  run(effect: Effect.Effect<void>): Fiber.Fiber<void> {
    return this.#surroundings.run(effect)
  }

  send(frame: OutgoingFrame): void {
    this.#transport.send(frame)
  }

  reply(message: Message, status: Status, response: Payload): void {
    if (message.ref === null) return
    this.send(new OutgoingFrame(this.serializer.reply(message, status, response), false))
  }

  refuse(message: Message, refusal: Refusals.Refusal): void {
    this.reply(message, "error", refusal.response)
  }

  refuseUnmatched(message: Message): void {
    this.refuse({ ...message, joinRef: null }, Refusals.unmatchedTopic)
  }

  /** Tells the client that a membership is over. */
  end(member: JoinedChannel, event: "phx_close" | "phx_error", payload: object): void {
    this.send(new OutgoingFrame(this.serializer.end(member.joinRef, member.topic, event, payload), false))
  }

  forget(member: JoinedChannel): void {
    if (this.#members.get(member.topic) === member) this.#members.delete(member.topic)
  }

  subscribe(topic: string, subscriber: Subscriber, part?: string): void {
    this.#surroundings.topics.subscribe(topic, subscriber, part)
  }

  unsubscribe(topic: string, subscriber: Subscriber, part?: string): void {
    this.#surroundings.topics.unsubscribe(topic, subscriber, part)
  }

  /** What other nodes broadcast on the topic is heard. */
  ready(topic: string): Effect.Effect<void> {
    return this.#surroundings.topics.ready(topic)
  }

  broadcast(topic: string, event: string, payload: Payload, options: BroadcastOptions): Effect.Effect<void> {
    return this.#surroundings.topics.broadcast(topic, event, payload, options)
  }

  /** That many messages no longer wait. */
  done(count: number): void {
    this.waiting -= count
    if (this.#backlogged && this.waiting <= this.#surroundings.limits.maxWaiting / 2) {
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
    if (this.#isPaused) this.#heardAt = now
    const wasFlooding = this.#isFlooding
    this.#limited = 0
    if (wasFlooding && !this.#backlogged) this.#transport.resume()
    this.#transport.sweep(now)
    if (this.identity.expiresAt <= this.#surroundings.clock.currentTimeMillisUnsafe())
      this.close(CloseCode.tokenExpired)
    else if (now - this.#heardAt >= idleMillis) this.close(CloseCode.idle)
  }

  topics(): ReadonlyArray<string> {
    return [...this.#members.keys()]
  }

  kick(reason: string): void {
    this.#expel(CloseCode.kicked(reason))
  }

  kickFrom(topic: string, reason: string): boolean {
    const member = this.#members.get(topic)
    if (member === undefined) return false
    this.#members.delete(topic)
    const ended = Effect.sync(() => this.end(member, "phx_close", { reason }))
    this.run(Effect.andThen(Fiber.await(member.stop()), ended))
    return true
  }

  /** Its client shall join again. */
  dismiss(member: JoinedChannel): void {
    this.forget(member)
    const ended = Effect.sync(() => this.end(member, "phx_error", { reason: "missed" }))
    this.run(Effect.andThen(Fiber.await(member.stop({ hears: true })), ended))
  }

  /** Closes the socket if its token was revoked. */
  heedRevocations(): void {
    if (this.#surroundings.revocations.isRevoked(this.identity)) this.#expel(CloseCode.revoked)
  }

  #expel(why: CloseCode.CloseCode): void {
    this.#isExpelled = true
    this.close(why)
  }

  get #isFlooding(): boolean {
    return this.#limited >= this.#surroundings.limits.maxLimited
  }

  get #isPaused(): boolean {
    return this.#backlogged || this.#isFlooding
  }

  receive(bytes: Buffer, isBinary: boolean): void {
    if (this.#closing) return
    const { clock, limits } = this.#surroundings
    const now = Elapsed.millis(clock)
    this.#heardAt = now
    const tooLarge = bytes.length > limits.maxMessageBytes
    const message = this.#decode(bytes, isBinary, tooLarge)
    if (message === undefined) return this.close(CloseCode.undecodable)
    // One that is too large counts as many as would fit into it, since it cost as much to receive.
    const count = Math.max(1, Math.ceil(bytes.length / limits.maxMessageBytes))
    const wait = this.place.user.message(limits.userMessages, now, count)
    if (wait > 0) this.#limit(message, wait, count)
    else this.#onMessage(message, tooLarge, now)
  }

  /** Of what is refused anyway only the addresses are read. */
  #decode(bytes: Buffer, isBinary: boolean, tooLarge: boolean): Message | undefined {
    const { serializer } = this
    if (isBinary) return serializer.decodeBinary(bytes)
    return (tooLarge ? serializer.decodeHead?.(bytes) : undefined) ?? serializer.decodeText(bytes.toString())
  }

  /** The answer is cheap, yet reading and answering a flood without end is not: after some answers reading stops. */
  #limit(message: Message, wait: number, count = 1): void {
    this.refuse(message, Refusals.rateLimit(wait))
    const before = this.#isPaused
    this.#limited += count
    if (this.#isFlooding && !before) this.#transport.pause()
  }

  #onMessage(message: Message, tooLarge: boolean, now: number): void {
    const { limits } = this.#surroundings
    const current = this.#members.get(message.topic)
    const step = decide(message, current, this.#members.size, limits.maxTopics)
    if (step === "stale") return
    if (tooLarge) return this.refuse(message, Refusals.tooLarge(limits.maxMessageBytes))
    switch (step) {
      case "heartbeat":
      case "leave unjoined":
        return this.reply(message, "ok", {})
      case "unmatched":
        return this.refuseUnmatched(message)
      case "too many":
        return this.refuse(message, Refusals.tooManyChannels)
    }
    if (isTooDeep(message.payload, maxDepth)) {
      return this.refuse(message, Refusals.invalidPayload("", `nested deeper than ${maxDepth} levels`))
    }
    if (step === "join" || step === "replace") this.#join(message, current, now)
    else if (message.event === Refresh.event) this.#refresh(message)
    else current?.deliver(message)
    if (this.waiting >= limits.maxWaiting && !this.#backlogged) {
      this.#backlogged = true
      this.#transport.pause()
    }
  }

  countJoin(): void {
    this.#surroundings.counts.joins++
  }

  #join(message: Message, current: JoinedChannel | undefined, now: number): void {
    const { limits } = this.#surroundings
    const wait = this.place.user.join(limits.userJoins, now) || this.place.address.join(limits.addressJoins, now)
    if (wait > 0) return this.#limit(message, wait)
    const found = fits(message.topic) ? this.#surroundings.channels.find(message.topic) : undefined
    if (found === undefined) return this.refuseUnmatched(message)
    const member = new JoinedChannel(this, found.channel, found.params, message)
    this.#members.set(message.topic, member)
    member.start(message, current)
  }

  /** A new token of the same user takes the old one's place. */
  #refresh(message: Message): void {
    const refreshed = Effect.match(Refresh.identityOf(this.#surroundings, this.identity, message.payload), {
      onSuccess: (identity) => {
        this.identity = identity
        this.reply(message, "ok", { expires_at: new Date(identity.expiresAt).toISOString() })
        for (const topic of this.#members.keys())
          if (!admitsTopic(identity, topic)) this.kickFrom(topic, "unauthorized")
      },
      onFailure: (refusal) => this.refuse(message, refusal),
    })
    this.waiting++
    this.run(
      Effect.ensuring(
        refreshed,
        Effect.sync(() => this.done(1)),
      ),
    )
  }
}
