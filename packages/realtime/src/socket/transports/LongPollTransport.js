/**
 * The transport of one long-poll session, for clients whose network blocks WebSockets. A poll is answered at once if
 * frames are queued; otherwise it is pending until a frame arrives or the poll window ends. A session ends when the
 * server closes it, or when no poll arrived within the poll timeout.
 */
import { FrameQueue } from "../FrameQueue.ts";
import { binaryToText } from "../../protocol/SerializerV2.ts";
/**
 * With so many messages that wait, no further request is accepted. Only a client that does not wait for its responses
 * exceeds this number: one request is accepted whole, since the size of its body is limited.
 */
const maxQueuedMessages = 1000;
export class LongPollTransport extends FrameQueue {
    #counts;
    #window;
    #timeout;
    #onGone;
    #receiver;
    #pendingPoll;
    #polledAt;
    #scheduled = false;
    #paused = false;
    #queuedMessages = [];
    #gone = false;
    constructor(options) {
        super(options.maxQueuedBytes);
        this.#counts = options.counts;
        this.#window = options.pollWindow;
        this.#timeout = options.pollTimeout;
        this.#polledAt = options.now;
        this.#onGone = options.onGone;
    }
    attach(receiver) {
        this.#receiver = receiver;
    }
    /** Replaces a pending poll, which the client has abandoned. */
    poll(respond, now) {
        if (this.#gone)
            return respond(410, []);
        this.#polledAt = now;
        this.#receiver?.onActivity();
        this.#pendingPoll?.(204, []);
        this.#pendingPoll = respond;
        this.#deliver();
    }
    /** The connection of the poll closed. */
    cancelPoll(respond) {
        if (this.#pendingPoll === respond)
            this.#pendingPoll = undefined;
    }
    /**
     * Calls `done(true)` once the socket received all messages, `done(false)` if the queue is full or the session ends.
     */
    push(messages, done) {
        if (this.#gone || this.#queuedMessages.length >= maxQueuedMessages)
            return done(false);
        this.#receiver?.onActivity();
        if (messages.length === 0)
            return done(true);
        const last = messages.length - 1;
        messages.forEach((message, index) => this.#queuedMessages.push({ ...message, done: index === last ? done : undefined }));
        this.#receiveQueued();
    }
    send(frame) {
        const result = this.enqueue(frame, this.#counts);
        if (result === "overflow")
            this.#receiver?.onOverflow();
        if (result !== "queued" || this.#scheduled)
            return;
        // One response carries all frames of a turn of the event loop.
        this.#scheduled = true;
        setImmediate(() => {
            this.#scheduled = false;
            this.#deliver();
        });
    }
    /** A response carries all queued frames, so none waits behind others. */
    sendFirst(frame) {
        this.send(frame);
    }
    pause() {
        this.#paused = true;
    }
    resume() {
        this.#paused = false;
        this.#receiveQueued();
    }
    /** HTTP has no close frame: the client receives 410, connects again, and learns the reason then. */
    close() {
        this.#deliver();
        this.#end();
    }
    sweep(now) {
        if (now - this.#polledAt < (this.#pendingPoll === undefined ? this.#timeout : this.#window))
            return;
        if (this.#pendingPoll === undefined)
            return this.#end();
        this.#polledAt = now;
        this.#respond(204, []);
    }
    get isGone() {
        return this.#gone;
    }
    #deliver() {
        if (this.#pendingPoll === undefined)
            return;
        const frames = [...this.takeAll()];
        for (const topic of this.takeMissedTopics())
            this.#receiver?.onMissed(topic);
        for (const snapshot of this.takeSnapshots()) {
            const frame = this.#receiver?.snapshotFrame(snapshot);
            if (frame !== undefined)
                frames.push(frame);
        }
        if (frames.length > 0)
            this.#respond(200, frames.map(({ body }) => (typeof body === "string" ? body : binaryToText(body))));
        this.notifyCapacity();
    }
    #respond(status, messages) {
        const respond = this.#pendingPoll;
        this.#pendingPoll = undefined;
        respond?.(status, messages);
    }
    #receiveQueued() {
        while (!this.#paused && !this.#gone) {
            const message = this.#queuedMessages.shift();
            if (message === undefined)
                return;
            this.#receiver?.receive(message.bytes, message.isBinary);
            message.done?.(!this.#gone);
        }
    }
    #end() {
        if (this.#gone)
            return;
        this.#gone = true;
        this.discard();
        this.#respond(410, []);
        for (const { done } of this.#queuedMessages.splice(0))
            done?.(false);
        this.#onGone();
        this.#receiver?.onClosed();
    }
}
