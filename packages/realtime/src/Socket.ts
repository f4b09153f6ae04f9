/**
 * One connection: it decodes what comes, decides by the lifecycle table, and hands messages to memberships.
 *
 * The supervision tree, with who owns each part and what ends it:
 *
 * ```
 * Endpoint (the layer's scope; ended by shutdown, which first drains)
 * ├─ sweep fiber             looks for idle sockets and ended tokens
 * └─ socket fiber (one each) parked in `lifetime`; ended by the connection's close, or interrupted by the endpoint
 *    └─ memberships (JoinedChannel, none has a fiber while idle)
 *       ├─ message fiber     ended by an empty inbox, a leave, a crash, or `stop`
 *       └─ scope             timers that the channel forked; closed by `stop`
 * ```
 *
 * The socket fiber's end stops every membership and waits for it; a membership's end touches nothing else. A fault in
 * one message ends no socket: only a frame that is no message does (1011).
 */
import { admitsTopic, type Identity } from "@armoricore/auth/Identity"
import type { Tokens } from "@armoricore/auth/Tokens"
import { type Clock, Effect, Fiber } from "effect"
import type { RawData, WebSocket } from "ws"
import type { Channels } from "./Channels.ts"
import { JoinedChannel } from "./JoinedChannel.ts"
import { type Limits, maxDepth } from "./Limits.ts"
import { type Flusher, Outbound, type Wire } from "./Outbound.ts"
import { OutgoingFrame } from "./OutgoingFrame.ts"
import * as CloseCode from "./protocol/CloseCode.ts"
import { decide } from "./protocol/Lifecycle.ts"
import type { Message, Payload, Serializer, Status } from "./protocol/Message.ts"
import * as Refusals from "./Refusal.ts"
import type { BroadcastOptions, Subscriber, Topics } from "./Topics.ts"

/** What all sockets of an endpoint share. */
export interface Surroundings {
  readonly channels: Channels["Service"]
  readonly topics: Topics["Service"]
  readonly tokens: Tokens["Service"]
  readonly clock: Clock.Clock
  readonly flusher: Flusher
  readonly limits: Limits
  /** Starts a fiber with the endpoint's loggers and tracer; its owner must end it. */
  readonly run: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
}

const node = crypto.randomUUID().slice(0, 13)
let count = 0

/** Brings a new token before the old one ends; the one event that every channel has. */
const refreshEvent = "access_token"

export class Socket {
  readonly serializer: Serializer
  identity: Identity
  /** Messages that wait for an answer. */
  waiting = 0
  readonly #number = ++count
  readonly #surroundings: Surroundings
  readonly #ws: WebSocket
  readonly #outbound: Outbound
  readonly #members = new Map<string, JoinedChannel>()
  #heardAt: number
  #closing = false
  #paused = false
  #gone: () => void = () => {}

  constructor(surroundings: Surroundings, ws: WebSocket, wire: Wire, identity: Identity, serializer: Serializer) {
    this.#surroundings = surroundings
    this.#ws = ws
    this.identity = identity
    this.serializer = serializer
    this.#heardAt = surroundings.clock.currentTimeMillisUnsafe()
    this.#outbound = new Outbound(wire, surroundings.flusher, surroundings.limits.maxQueuedBytes, () =>
      this.close(CloseCode.slowConsumer),
    )
    ws.on("message", (data, isBinary) => this.#onFrame(data, isBinary))
    // `ws` closes by itself with the right code (1002, 1007, 1009); without a listener the error would be thrown.
    ws.on("error", () => this.#outbound.close())
  }

  /** Parked until the connection is gone; however it ends, so do the memberships. */
  get lifetime(): Effect.Effect<void> {
    const connected = Effect.callback<void>((resume) => {
      this.#gone = () => resume(Effect.void)
      this.#ws.on("close", this.#gone)
      if (this.#ws.readyState === this.#ws.CLOSED) this.#gone()
    })
    return Effect.onExit(connected, () => this.#stopMembers())
  }

  /** Unique over all nodes. Made when asked: ten thousand idle sockets need none. */
  get id(): string {
    return `${node}-${this.#number.toString(36)}`
  }

  run(effect: Effect.Effect<void>): Fiber.Fiber<void> {
    return this.#surroundings.run(effect)
  }

  send(frame: OutgoingFrame): void {
    this.#outbound.push(frame)
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

  subscribe(topic: string, subscriber: Subscriber): void {
    this.#surroundings.topics.subscribe(topic, subscriber)
  }

  unsubscribe(topic: string, subscriber: Subscriber): void {
    this.#surroundings.topics.unsubscribe(topic, subscriber)
  }

  broadcast(topic: string, event: string, payload: Payload, options: BroadcastOptions): Effect.Effect<void> {
    return this.#surroundings.topics.broadcast(topic, event, payload, options)
  }

  /** That many messages no longer wait. */
  done(count: number): void {
    this.waiting -= count
    if (this.#paused && this.waiting <= this.#surroundings.limits.maxWaiting / 2) {
      this.#paused = false
      this.#ws.resume()
    }
  }

  /** What is queued goes out first, as far as the client takes it; the connection is cut after the close timeout. */
  close({ code, reason }: CloseCode.CloseCode): void {
    if (this.#closing) return
    this.#closing = true
    if (this.#paused) this.#ws.resume()
    this.#outbound.flush()
    this.#outbound.close()
    this.#ws.close(code, reason)
  }

  /** Closes the socket when its time is over; called now and then. */
  sweep(now: number, idleMillis: number): void {
    if (this.identity.expiresAt <= now) this.close(CloseCode.tokenExpired)
    // A paused socket is not heard because nobody listens.
    else if (this.#paused) this.#heardAt = now
    else if (now - this.#heardAt >= idleMillis) this.close(CloseCode.idle)
  }

  #stopMembers(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.close(CloseCode.restart)
      const stopped = Array.from(this.#members.values(), (member) => member.stop())
      this.#members.clear()
      return Effect.asVoid(Fiber.awaitAll(stopped))
    })
  }

  #onFrame(data: RawData, isBinary: boolean): void {
    if (this.#closing) return
    const { clock, limits } = this.#surroundings
    this.#heardAt = clock.currentTimeMillisUnsafe()
    const bytes = toBuffer(data)
    const message = isBinary ? this.serializer.decodeBinary(bytes) : this.serializer.decodeText(bytes.toString())
    if (message === undefined) return this.close(CloseCode.undecodable)
    this.#onMessage(message, bytes.length > limits.maxMessageBytes)
  }

  #onMessage(message: Message, tooLarge: boolean): void {
    const { limits } = this.#surroundings
    const current = this.#members.get(message.topic)
    const step = decide(message, current, this.#members.size, limits.maxTopics)
    switch (step) {
      case "heartbeat":
      case "leave unjoined":
        return this.reply(message, "ok", {})
      case "stale":
        return
      case "unmatched":
        return this.refuseUnmatched(message)
      case "too many":
        return this.refuse(message, Refusals.tooManyChannels)
    }
    if (tooLarge) return this.refuse(message, Refusals.tooLarge(limits.maxMessageBytes))
    if (isTooDeep(message.payload, maxDepth)) {
      return this.refuse(message, Refusals.invalidPayload("", `nested deeper than ${maxDepth} levels`))
    }
    if (step === "join" || step === "replace") this.#join(message, current)
    else if (message.event === refreshEvent) this.#refresh(message)
    else current?.deliver(message)
    if (this.waiting >= limits.maxWaiting && !this.#paused) {
      this.#paused = true
      this.#ws.pause()
    }
  }

  #join(message: Message, current: JoinedChannel | undefined): void {
    const found = this.#surroundings.channels.find(message.topic)
    if (found === undefined) return this.refuseUnmatched(message)
    if (!admitsTopic(this.identity, message.topic)) {
      return this.refuse(message, Refusals.unauthorized("the token's `channels` do not name this topic"))
    }
    const member = new JoinedChannel(this, found.channel, found.params, message)
    this.#members.set(message.topic, member)
    member.start(message, current)
  }

  /** A new token of the same user takes the old one's place. */
  #refresh(message: Message): void {
    const token = tokenIn(message.payload)
    const verified = Effect.matchCause(this.#surroundings.tokens.verify(token), {
      onSuccess: (identity) => {
        if (identity.userId !== this.identity.userId) {
          return this.refuse(message, Refusals.unauthorized("the token is somebody else's"))
        }
        this.identity = identity
        this.reply(message, "ok", { expires_at: new Date(identity.expiresAt).toISOString() })
      },
      onFailure: (cause) => {
        const error = cause.reasons.find((reason) => reason._tag === "Fail")?.error
        const refusal = error?._tag === "Unauthorized" ? Refusals.unauthorized(error.message) : Refusals.unavailable
        this.refuse(message, refusal)
      },
    })
    this.waiting++
    this.run(
      Effect.ensuring(
        verified,
        Effect.sync(() => this.done(1)),
      ),
    )
  }
}

const tokenIn = (payload: unknown): string | undefined =>
  typeof payload === "object" && payload !== null && "token" in payload && typeof payload.token === "string"
    ? payload.token
    : undefined

/** With the default `binaryType` a message is one buffer; the other forms are there for the type's sake. */
const toBuffer = (data: RawData): Buffer =>
  Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)

const isTooDeep = (value: unknown, left: number): boolean => {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return false
  if (left === 0) return true
  for (const child of Object.values(value)) if (isTooDeep(child, left - 1)) return true
  return false
}
