/**
 * One connection: it decodes incoming frames, decides by the lifecycle table, and passes messages to memberships.
 *
 * The supervision tree, with the owner and the end of each part:
 *
 * ```
 * Endpoint (the scope of its layer; shutdown drains before the scope closes)
 * ├─ sweep fiber             closes idle sockets and sockets with an expired token
 * └─ sockets (an open socket has no fiber)
 *    ├─ drain fiber          started when the connection closed: stops every membership and waits for them
 *    └─ memberships (ChannelMembership; an idle one has no fiber)
 *       ├─ message fiber     ends with an empty inbox, a leave, a crash, or `stop`
 *       └─ scope             timers that the channel forked; closed by `stop`
 * ```
 *
 * The endpoint owns the drain fibers and waits for them at shutdown. The end of a membership does not affect the others.
 * An error in one message does not close the socket; only a frame that cannot be decoded does (1011).
 */
import { allowsTopic } from "@armoricore/auth/Identity";
import { Effect, Fiber } from "effect";
import { ChannelMembership } from "./ChannelMembership.ts";
import * as MonotonicClock from "@armoricore/worker/MonotonicClock";
import { isTooDeep, maxDepth } from "./Limits.ts";
import { OutgoingFrame } from "./OutgoingFrame.ts";
import * as CloseCode from "../protocol/CloseCode.ts";
import { decide } from "../protocol/Lifecycle.ts";
import { fitsTopicLimit } from "../protocol/Message.ts";
import { ReplyGate } from "./ReplyGate.ts";
import * as TokenRefresh from "./TokenRefresh.ts";
import * as ChannelErrors from "../channel/ChannelError.ts";
const socketIdPrefix = crypto.randomUUID().slice(0, 13);
let socketCount = 0;
export class Socket {
    serializer;
    openedAt;
    /** The usage counters of the socket's user and address. */
    lease;
    identity;
    context;
    #number = ++socketCount;
    #transport;
    #memberships = new Map();
    #lastActivityAt;
    /** Messages that wait for a reply. */
    #pendingMessages = 0;
    #closing = false;
    /** An operator closed the socket: pending messages are not handled. */
    #isKicked = false;
    /** Too many messages are pending: the transport is paused. */
    #backlogged = false;
    /** Replies `rate_limit` since the last sweep; at the limit the transport is paused until the next sweep. */
    #rateLimitReplies = 0;
    /** Bytes that had left the queue at the last sweep. */
    #takenAtSweep = 0;
    /** The context was notified that the connection closed. */
    #isEnded = false;
    /** Created for the first large reply, and dropped when none waits. */
    #replyGate;
    #answersPings = true;
    constructor(context, transport, identity, serializer, lease) {
        this.context = context;
        this.#transport = transport;
        this.identity = identity;
        this.serializer = serializer;
        this.lease = lease;
        this.openedAt = context.clock.currentTimeMillisUnsafe();
        this.#lastActivityAt = MonotonicClock.millis(context.clock);
    }
    /** Attaches the transport: frames may arrive and be sent from now on. */
    open() {
        this.#transport.attach(this);
    }
    onClosed() {
        this.#closing = true;
        if (this.#isEnded)
            return;
        this.#isEnded = true;
        this.#replyGate?.onClosed();
        this.context.onClosed(this);
    }
    onMissed(topic) {
        const member = this.#memberships.get(topic);
        if (member !== undefined)
            this.forceRejoin(member);
    }
    onOverflow() {
        this.#closeUnresponsive(CloseCode.slowConsumer);
    }
    /** Not droppable: a client cannot detect that a snapshot is missing. */
    snapshotFrame({ topic, event, payload }) {
        if (!this.#memberships.has(topic))
            return undefined;
        return new OutgoingFrame(this.serializer.broadcast(topic, event, payload()), false);
    }
    onActivity() {
        this.#lastActivityAt = MonotonicClock.millis(this.context.clock);
    }
    /** Stops every membership and waits for them. Messages sent before the close are still handled, unless kicked. */
    get drain() {
        return Effect.suspend(() => {
            const stopped = Array.from(this.#memberships.values(), (member) => member.stop({ drain: !this.#isKicked }));
            this.#memberships.clear();
            return Effect.asVoid(Fiber.awaitAll(stopped));
        });
    }
    /** Unique over all nodes. Built on demand, to save memory on idle sockets. */
    get id() {
        return `${socketIdPrefix}-${this.#number.toString(36)}`;
    }
    send(frame) {
        this.#transport.send(frame);
    }
    reply(message, status, response) {
        if (message.ref === null)
            return;
        this.send(new OutgoingFrame(this.serializer.reply(message, status, response), false));
    }
    replyError(message, error) {
        this.reply(message, "error", error.response);
    }
    replyUnmatched(message) {
        this.replyError({ ...message, joinRef: null }, ChannelErrors.unmatchedTopic);
    }
    sendEnd(member, event, payload) {
        this.send(new OutgoingFrame(this.serializer.end(member.joinRef, member.topic, event, payload), false));
    }
    removeMembership(member) {
        if (this.#memberships.get(member.topic) === member)
            this.#memberships.delete(member.topic);
    }
    acquireCapacity(member) {
        const { clock, limits } = this.context;
        const { maxQueuedBytes } = limits;
        if (this.#replyGate === undefined) {
            this.#replyGate = new ReplyGate({
                transport: this.#transport,
                clock,
                answersPings: this.#answersPings,
                maxQueuedBytes,
            });
            if (this.#isEnded)
                this.#replyGate.onClosed();
            else if (this.#isPaused)
                this.#replyGate.onPaused();
        }
        return this.#replyGate.acquire(member);
    }
    releaseCapacity(member, replyBytes) {
        this.#replyGate?.release(member, replyBytes);
        this.#dropIdleGate();
    }
    onPong() {
        this.onActivity();
        this.#replyGate?.onPong();
        this.#dropIdleGate();
    }
    #dropIdleGate() {
        if (this.#replyGate?.isIdle !== true)
            return;
        this.#answersPings = this.#replyGate.answersPings;
        this.#replyGate = undefined;
    }
    /** Bytes that were queued since the connection opened. */
    get sentBytes() {
        return this.#transport.takenBytes + this.#transport.queuedBytes;
    }
    addPending() {
        this.#pendingMessages++;
    }
    removePending(count) {
        this.#pendingMessages -= count;
        if (this.#backlogged && this.#pendingMessages <= this.context.limits.maxPendingMessages / 2) {
            this.#backlogged = false;
            if (!this.#isFlooding)
                this.#resume();
        }
    }
    /** Sends queued frames as far as the client reads them, then closes; the close timeout ends the connection. */
    close(closeCode) {
        if (this.#closing)
            return;
        this.#closing = true;
        if (this.#isPaused)
            this.#transport.resume();
        this.#transport.close(closeCode);
    }
    /** Closes the socket if it is idle or its token expired. `now` is monotonic time. */
    sweep(now, idleMillis) {
        // A paused socket is not read, so silence does not mean that it is idle. A queue that the client does not read does.
        const { queuedBytes, takenBytes } = this.#transport;
        if (this.#isPaused && (queuedBytes === 0 || takenBytes !== this.#takenAtSweep))
            this.#lastActivityAt = now;
        this.#takenAtSweep = takenBytes;
        const wasFlooding = this.#isFlooding;
        this.#rateLimitReplies = 0;
        if (wasFlooding && !this.#backlogged)
            this.#resume();
        this.#transport.sweep(now);
        this.#replyGate?.sweep(now);
        this.#dropIdleGate();
        if (this.identity.expiresAt <= this.context.clock.currentTimeMillisUnsafe())
            this.close(CloseCode.tokenExpired);
        else if (now - this.#lastActivityAt >= idleMillis)
            this.#closeUnresponsive(CloseCode.idle);
    }
    /** The client will hardly reply to the close frame, so its memberships end at once. */
    #closeUnresponsive(closeCode) {
        this.close(closeCode);
        this.onClosed();
    }
    get queuedBytes() {
        return this.#transport.queuedBytes;
    }
    topics() {
        return [...this.#memberships.keys()];
    }
    grantOf(topic) {
        return this.#memberships.get(topic)?.grant;
    }
    setGrant(topic, grant) {
        this.#memberships.get(topic)?.setGrant(grant);
    }
    kick(reason) {
        this.#closeKicked(CloseCode.kicked(reason));
    }
    kickFrom(topic, reason) {
        const member = this.#memberships.get(topic);
        if (member === undefined)
            return false;
        this.#memberships.delete(topic);
        const notifyClient = Effect.sync(() => this.sendEnd(member, "phx_close", { reason }));
        this.context.run(Effect.andThen(Fiber.await(member.stop()), notifyClient));
        return true;
    }
    forceRejoin(member) {
        this.removeMembership(member);
        const notifyClient = Effect.sync(() => this.sendEnd(member, "phx_error", { reason: "missed" }));
        this.context.run(Effect.andThen(Fiber.await(member.stop({ drain: true })), notifyClient));
    }
    /** Closes the socket if its token was revoked. */
    checkRevocations() {
        if (this.context.revocations.isRevoked(this.identity))
            this.#closeKicked(CloseCode.revoked);
    }
    #closeKicked(closeCode) {
        this.#isKicked = true;
        this.close(closeCode);
        // At once: until the client has answered the close, its pending messages would still be handled.
        for (const member of this.#memberships.values())
            member.stop();
    }
    get #isFlooding() {
        return this.#rateLimitReplies >= this.context.limits.maxRateLimitReplies;
    }
    get #isPaused() {
        return this.#backlogged || this.#isFlooding;
    }
    receive(bytes, isBinary) {
        if (this.#closing)
            return;
        const { clock, limits } = this.context;
        const now = MonotonicClock.millis(clock);
        this.#lastActivityAt = now;
        const tooLarge = bytes.length > limits.maxMessageBytes;
        const message = this.#decode(bytes, isBinary, tooLarge);
        if (message === undefined)
            return this.close(CloseCode.undecodableFrame);
        // A message over the limit costs as much to receive as the messages that would fit into it, so it counts as many.
        const count = Math.max(1, Math.ceil(bytes.length / limits.maxMessageBytes));
        const wait = this.lease.user.consumeMessages(limits.userMessages, now, count);
        if (wait > 0)
            this.#replyRateLimited(message, wait, count);
        else
            this.#onMessage(message, tooLarge, now);
    }
    /** A message over the limit is rejected, so only its header is decoded. */
    #decode(bytes, isBinary, tooLarge) {
        const { serializer } = this;
        if (isBinary)
            return serializer.decodeBinary(bytes);
        return (tooLarge ? serializer.decodeHeader?.(bytes) : undefined) ?? serializer.decodeText(bytes.toString());
    }
    /** One reply is cheap, a flood of them is not: after `maxRateLimitReplies` the transport is paused until the next sweep. */
    #replyRateLimited(message, wait, count = 1) {
        this.reply(message, "error", ChannelErrors.rateLimitResponse(wait));
        const wasPaused = this.#isPaused;
        this.#rateLimitReplies += count;
        if (this.#isFlooding && !wasPaused)
            this.#pause();
    }
    #onMessage(message, tooLarge, now) {
        const { limits } = this.context;
        const current = this.#memberships.get(message.topic);
        const step = decide(message, current, this.#memberships.size, limits.maxTopics);
        if (step === "stale")
            return;
        if (tooLarge)
            return this.replyError(message, ChannelErrors.tooLarge(limits.maxMessageBytes));
        switch (step) {
            case "heartbeat":
                return this.#transport.sendFirst(new OutgoingFrame(this.serializer.reply(message, "ok", {}), false));
            case "leave unjoined":
                return this.reply(message, "ok", {});
            case "unmatched":
                return this.replyUnmatched(message);
            case "too many":
                return this.replyError(message, ChannelErrors.tooManyChannels);
        }
        if (isTooDeep(message.payload, maxDepth)) {
            return this.replyError(message, ChannelErrors.invalidPayload("", `the payload is nested deeper than ${maxDepth} levels`));
        }
        if (step === "join" || step === "replace")
            this.#join(message, current, now);
        else if (message.event === TokenRefresh.refreshEvent)
            this.#refresh(message);
        else
            current?.deliver(message);
        if (this.#pendingMessages >= limits.maxPendingMessages && !this.#backlogged) {
            this.#backlogged = true;
            this.#pause();
        }
    }
    #pause() {
        this.#transport.pause();
        this.#replyGate?.onPaused();
    }
    #resume() {
        this.#transport.resume();
        this.#replyGate?.onResumed();
    }
    #join(message, current, now) {
        const { limits } = this.context;
        const wait = this.lease.user.consumeJoin(limits.userJoins, now) || this.lease.address.consumeJoin(limits.addressJoins, now);
        if (wait > 0)
            return this.#replyRateLimited(message, wait);
        const match = fitsTopicLimit(message.topic) ? this.context.channels.find(message.topic) : undefined;
        if (match === undefined)
            return this.replyUnmatched(message);
        const member = new ChannelMembership(this, match.channel, match.params, message);
        this.#memberships.set(message.topic, member);
        member.start(message, current);
    }
    /** Replaces the token with a new one of the same user. */
    #refresh(message) {
        const refreshed = Effect.match(TokenRefresh.verify(this.context, this.identity, message.payload), {
            onSuccess: (identity) => {
                this.identity = identity;
                this.reply(message, "ok", { expires_at: new Date(identity.expiresAt).toISOString() });
                for (const topic of this.#memberships.keys())
                    if (!allowsTopic(identity, topic))
                        this.kickFrom(topic, "unauthorized");
            },
            onFailure: (error) => this.replyError(message, error),
        });
        this.addPending();
        this.context.run(Effect.ensuring(refreshed, Effect.sync(() => this.removePending(1))));
    }
}
