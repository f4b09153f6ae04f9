/**
 * One membership: one join of one topic by one socket. An idle membership has no fiber. The first message starts one, and
 * it ends when the inbox is empty; so messages are handled one after the other, and an idle membership costs only memory.
 *
 * A membership owns:
 * - a fiber: `stop` interrupts it; it also ends after a leave, a crash or the last message of the inbox;
 * - a scope with the timers that the channel forked: `stop` closes it, after the channel's `leave` ran;
 * - a subscription: from before the channel's `join` until `stop`.
 *
 * `stop` runs when the connection closed, the client left, the join failed, the channel crashed, or the client joined the
 * same topic again. It runs once; later calls return the same fiber.
 *
 * Concurrency hazard: a client that sends a message and closes, leaves or joins again at once still expects the message to
 * be handled. So `stop({ drain: true })` first handles the inbox, for at most {@link drainTimeout}. A kick does not drain.
 */
import { hasRole } from "@armoricore/auth/Identity";
import { Cause, Effect, Exit, Fiber, Option, Scope } from "effect";
import { OutgoingFrame } from "./OutgoingFrame.ts";
import * as ChannelErrors from "../channel/ChannelError.ts";
/** The most broadcasts and pushes that a join buffers. More of them fail the join, and the client tries again. */
const maxBuffered = 1000;
const leaveTimeout = "5 seconds";
const drainTimeout = "5 seconds";
export class ChannelMembership {
    topic;
    params;
    joinRef;
    state = undefined;
    #socket;
    #channel;
    #scope = Scope.makeUnsafe();
    /** The message that is being handled gets no reply. */
    #omitsReply = false;
    #grant = undefined;
    #joined = false;
    /** The earlier membership of the same topic, until the client received its `phx_close`. */
    #replaced = undefined;
    /** The join that has no reply yet; it counts as a pending message of the socket. */
    #pendingJoin = undefined;
    /** Broadcasts and pushes that arrived during the join; `undefined` once joined. */
    #buffered = [];
    /** The reply to the join included all broadcasts up to this `seq`; a later arrival of them is ignored. */
    #upToSeq = 0;
    #inbox = undefined;
    #busy = false;
    #fiber = undefined;
    #stopping = undefined;
    /** The client received `phx_close` or `phx_error`. */
    #isEndSent = false;
    constructor(socket, channel, params, message) {
        this.#socket = socket;
        this.#channel = channel;
        this.params = params;
        this.topic = message.topic;
        this.joinRef = message.joinRef;
    }
    get identity() {
        const { identity } = this.#socket;
        const roles = this.#grant?.roles;
        return roles === undefined ? identity : { ...identity, roles };
    }
    get grant() {
        return this.#grant;
    }
    setGrant(grant) {
        this.#grant = grant;
    }
    omitReply() {
        this.#omitsReply = true;
    }
    get socketId() {
        return this.#socket.id;
    }
    /** Starts the join. `replaced` is the membership that this join replaces. */
    start(message, replaced) {
        this.#socket.context.topics.subscribe(this.topic, this);
        this.#pendingJoin = message;
        this.#replaced = replaced;
        this.#socket.addPending();
        this.#run(this.#join(message));
    }
    deliver(message) {
        if (this.#inbox === undefined)
            this.#inbox = [message];
        else
            this.#inbox.push(message);
        this.#socket.addPending();
        if (!this.#busy)
            this.#run(this.#processInbox());
    }
    receive(broadcast) {
        if (this.#buffered !== undefined) {
            if (this.#buffered.length <= maxBuffered)
                this.#buffered.push(broadcast);
        }
        else if (broadcast.seq === undefined || broadcast.seq > this.#upToSeq) {
            this.#socket.send(broadcast.frame(this.#socket.serializer));
        }
    }
    /** Some broadcasts are lost. The client joins again with its last `seq`, and the reply says what is missing. */
    onGap() {
        this.#socket.forceRejoin(this);
    }
    send(event, payload, droppable) {
        const body = this.#socket.serializer.push(this.joinRef, this.topic, event, payload);
        const frame = new OutgoingFrame(body, droppable);
        if (this.#buffered === undefined)
            this.#socket.send(frame);
        else
            this.#buffered.push(frame);
    }
    broadcast(event, payload, options) {
        return this.#socket.context.topics.broadcast(this.topic, event, payload, options);
    }
    listen(subtopic) {
        this.#socket.context.topics.subscribe(this.topic, this, subtopic);
    }
    unlisten(subtopic) {
        this.#socket.context.topics.unsubscribe(this.topic, this, subtopic);
    }
    get awaitCapacity() {
        return Effect.suspend(() => this.#socket.acquireCapacity(this));
    }
    /** `drain` handles the messages of the inbox first, with `join` also a pending join without messages. */
    stop(options) {
        if (this.#stopping !== undefined)
            return this.#stopping;
        const drain = options?.drain === true && (this.#hasWorkToDrain || options.join === true);
        this.#socket.context.topics.unsubscribe(this.topic, this);
        const fiber = this.#busy ? this.#fiber : undefined;
        this.#stopping = this.#socket.context.run(this.#shutDown(fiber, drain));
        return this.#stopping;
    }
    /** A pending join without messages, or with a leave only, needs no draining. */
    get #hasWorkToDrain() {
        return this.#joined || this.#inbox?.some(({ event }) => event !== "phx_leave") === true;
    }
    #run(effect) {
        this.#busy = true;
        // A defect that is not caught here would leave the membership busy for ever.
        const guarded = Effect.catchCause(effect, (cause) => Cause.hasInterruptsOnly(cause) ? Effect.interrupt : this.#handleCrash(cause));
        const fiber = this.#socket.context.run(guarded);
        // A fiber that never suspends ends before `run` returns.
        if (this.#busy)
            this.#fiber = fiber;
    }
    #settleJoin() {
        if (this.#pendingJoin === undefined)
            return;
        this.#pendingJoin = undefined;
        this.#socket.removePending(1);
    }
    #becomeIdle() {
        this.#busy = false;
        this.#fiber = undefined;
    }
    #join(message) {
        return Effect.gen({ self: this }, function* () {
            // The `leave` of the replaced membership runs first, so a channel never sees a socket twice on a topic.
            // A pending join is completed, because every join gets its reply.
            if (this.#replaced !== undefined)
                yield* Fiber.await(this.#replaced.stop({ drain: true, join: true }));
            yield* this.#socket.context.topics.awaitReady(this.topic);
            const exit = yield* Effect.exit(Scope.provide(this.#channel.join(this, message.payload), this.#scope));
            const error = yield* this.#joinErrorOf(exit);
            const sentBefore = this.#socket.sentBytes;
            if (Exit.isSuccess(exit) && error === undefined)
                this.#completeJoin(message, exit.value);
            else
                this.#socket.replyError(message, error ?? ChannelErrors.unavailable);
            this.#socket.releaseCapacity(this, this.#socket.sentBytes - sentBefore);
            this.#endReplaced();
            this.#settleJoin();
            yield* this.#joined ? this.#processInbox() : this.#finish();
        });
    }
    /** Sends the `phx_close` of every replaced membership: one that was replaced during its join has not sent its own. */
    #endReplaced() {
        const replaced = this.#replaced;
        if (replaced === undefined)
            return;
        this.#replaced = undefined;
        if (!replaced.#isEndSent)
            this.#socket.sendEnd(replaced, "phx_close", {});
        replaced.#endReplaced();
    }
    #joinErrorOf(exit) {
        if (Exit.isSuccess(exit)) {
            return Effect.succeed((this.#buffered?.length ?? 0) > maxBuffered ? ChannelErrors.unavailable : undefined);
        }
        const error = Cause.findErrorOption(exit.cause);
        if (Option.isSome(error))
            return Effect.succeed(error.value);
        return Effect.as(this.#logFailure("the join of a channel crashed", exit.cause), ChannelErrors.joinCrashed);
    }
    #completeJoin(message, result) {
        this.#joined = true;
        this.#socket.context.counts.joins++;
        this.state = result.state;
        this.#socket.reply(message, "ok", result.reply);
        const buffered = this.#buffered ?? [];
        this.#buffered = undefined;
        this.#upToSeq = result.upToSeq ?? 0;
        for (const item of buffered) {
            if (item instanceof OutgoingFrame)
                this.#socket.send(item);
            else
                this.receive(item);
        }
    }
    #processInbox() {
        return Effect.gen({ self: this }, function* () {
            for (;;) {
                const message = this.#inbox?.shift();
                if (message === undefined)
                    break;
                this.#socket.removePending(1);
                if (message.event === "phx_leave")
                    return yield* this.#handleLeave(message);
                const crash = yield* this.#handle(message);
                if (crash !== undefined)
                    return yield* this.#handleCrash(crash);
            }
            this.#inbox = undefined;
            this.#becomeIdle();
        });
    }
    /** Handles one message and replies. Returns the cause if the channel crashed. */
    #handle(message) {
        return Effect.gen({ self: this }, function* () {
            const event = this.#channel.events.get(message.event);
            if (event === undefined)
                return void this.#socket.replyError(message, ChannelErrors.unknownEvent(message.event));
            if (!event.allowGuests && hasRole(this.identity, "guest")) {
                return void this.#socket.replyError(message, ChannelErrors.unauthorized("the role `guest` may join and read, but not send this event"));
            }
            const { authorizePush } = this.#channel;
            const handle = event.handle(this, message.payload);
            const authorized = authorizePush === undefined
                ? handle
                : Effect.andThen(authorizePush(this, message.event, message.payload), handle);
            const exit = yield* Effect.exit(Scope.provide(authorized, this.#scope));
            const error = Exit.isSuccess(exit) ? Option.none() : Cause.findErrorOption(exit.cause);
            const sentBefore = this.#socket.sentBytes;
            const omitsReply = this.#omitsReply;
            this.#omitsReply = false;
            if (Exit.isSuccess(exit)) {
                if (!omitsReply)
                    this.#socket.reply(message, "ok", exit.value);
            }
            else if (Option.isSome(error))
                this.#socket.replyError(message, error.value);
            this.#socket.releaseCapacity(this, this.#socket.sentBytes - sentBefore);
            return Exit.isSuccess(exit) || Option.isSome(error) ? undefined : exit.cause;
        });
    }
    #handleLeave(message) {
        return this.#finish(() => {
            this.#socket.reply(message, "ok", {});
            this.#isEndSent = true;
            this.#socket.sendEnd(this, "phx_close", {});
        });
    }
    #handleCrash(cause) {
        const finish = this.#finish(() => {
            this.#isEndSent = true;
            this.#socket.sendEnd(this, "phx_error", { reason: "channel_crash" });
        });
        return Effect.andThen(this.#logFailure("a channel crashed", cause), finish);
    }
    #logFailure(message, cause) {
        return Effect.annotateLogs(Effect.logError(message, cause), { topic: this.topic, socket_id: this.socketId });
    }
    /**
     * Ends the membership from its own fiber. The membership becomes idle first, because otherwise `stop` would interrupt the
     * fiber that waits for it. If `stop` already runs, it waits for this fiber.
     */
    #finish(notifyClient = () => { }) {
        return Effect.gen({ self: this }, function* () {
            this.#becomeIdle();
            this.#socket.removeMembership(this);
            if (this.#stopping === undefined)
                yield* Fiber.await(this.stop());
            notifyClient();
            for (const message of this.#takeInbox())
                this.#socket.replyUnmatched(message);
        });
    }
    #takeInbox() {
        const messages = this.#inbox ?? [];
        this.#inbox = undefined;
        this.#socket.removePending(messages.length);
        return messages;
    }
    #shutDown(fiber, drain) {
        return Effect.gen({ self: this }, function* () {
            if (fiber !== undefined) {
                if (drain)
                    yield* Effect.timeoutOption(Fiber.await(fiber), drainTimeout);
                yield* Fiber.interrupt(fiber);
                // Each message that is left needs a reply, and must no longer count as pending. A leave succeeded.
                for (const message of this.#takeInbox()) {
                    if (message.event === "phx_leave")
                        this.#socket.reply(message, "ok", {});
                    else
                        this.#socket.replyUnmatched(message);
                }
            }
            this.#socket.releaseCapacity(this, 0);
            if (this.#pendingJoin !== undefined)
                this.#socket.replyError(this.#pendingJoin, ChannelErrors.unavailable);
            this.#settleJoin();
            const leave = this.#joined ? this.#channel.leave : undefined;
            if (leave !== undefined) {
                const exit = yield* Effect.exit(Effect.timeout(leave(this), leaveTimeout));
                if (Exit.isFailure(exit))
                    yield* this.#logFailure("the `leave` handler of a channel failed", exit.cause);
            }
            yield* Scope.close(this.#scope, Exit.void);
        });
    }
}
