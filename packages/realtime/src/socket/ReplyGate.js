/**
 * Decides when a socket may produce its next large reply (the replay of a join, a page of history), and how large it may
 * be. Replies are produced only as the client reads: until then their content waits in the store.
 *
 * The kernel and proxies buffer megabytes, so an accepted write does not mean that the client has read it. Therefore a
 * WebSocket ping follows the replies: its pong shows what the client has read. Over long poll, and while the socket is
 * not read, the queue shows it.
 *
 * A client that reads fast gets full replies. If replies wait, the remaining ones share what the client reads in
 * {@link shareTime}, so that every join of a slow client is answered before it times out.
 *
 * Plain callbacks, because the connection reports its progress by callbacks.
 */
import * as MonotonicClock from "@armoricore/worker/MonotonicClock";
import { Effect } from "effect";
/** Replies that one socket produces at a time. */
const maxProducing = 2;
/** The most bytes of replies that the client has not read when the next one is produced. */
const maxUnreadBytes = 98_304;
/** With fewer unread bytes and no reply that waits, nothing depends on a pong, so no ping is sent. */
const minPingBytes = 8192;
const maxReplyBytes = 131_072;
const minReplyBytes = 2048;
/** Before this time, in milliseconds, the rate of the client is unknown. */
const measureTime = 300;
/** In milliseconds; official clients wait 10 s for the reply to a join. */
const shareTime = 2000;
/** A client that has not sent any pong for this long, in milliseconds, does not support pings. */
const pongTimeout = 8000;
/** `Holder`: produces a reply, one at a time. */
export class ReplyGate {
    #options;
    #waiting = new Map();
    #producing = new Set();
    #isClosed = false;
    /** Bytes of replies, sent and read. */
    #sent = 0;
    #read = 0;
    /** The ping without a pong, and what was sent before it. */
    #ping;
    #canPing;
    #hasPong = false;
    /** The socket is not read, so no pong arrives. */
    #isPaused = false;
    /** When the first of the waiting replies began to wait, and what had been read by then. */
    #measured = { at: 0, read: 0 };
    constructor(options) {
        this.#options = options;
        this.#canPing = options.transport.ping !== undefined && options.answersPings;
    }
    /** Waits for the holder's turn. Succeeds with the most bytes of its reply. */
    acquire(holder) {
        return Effect.callback((resume) => {
            if (this.#waiting.size === 0)
                this.#measured = { at: this.#now(), read: this.#read };
            this.#waiting.set(holder, (maxBytes) => resume(Effect.succeed(maxBytes)));
            this.#grant();
            return Effect.sync(() => this.release(holder, 0));
        });
    }
    /** The reply with so many bytes is in the queue, or the holder sends none. */
    release(holder, bytes) {
        this.#waiting.delete(holder);
        if (!this.#producing.delete(holder))
            return;
        this.#sent += bytes;
        if (!this.#canPing || this.#isPaused)
            this.#read = this.#sent;
        this.#sendPing();
        this.#grant();
    }
    /** The socket is paused because its messages wait for replies, so these replies must not wait for a pong. */
    onPaused() {
        this.#isPaused = true;
        this.#read = this.#sent;
        this.#grant();
    }
    /** The connection closed: no reply waits, so that the messages behind it are handled at once. */
    onClosed() {
        this.#isClosed = true;
        this.#grant();
    }
    onResumed() {
        this.#isPaused = false;
        if (this.#ping !== undefined)
            this.#ping = { ...this.#ping, at: this.#now() };
        this.#sendPing();
    }
    onPong() {
        if (this.#ping === undefined)
            return;
        this.#hasPong = true;
        this.#read = Math.max(this.#read, this.#ping.sent);
        this.#ping = undefined;
        this.#sendPing();
        this.#grant();
    }
    /** Called periodically, with monotonic time. */
    sweep(now) {
        if (this.#ping === undefined || this.#hasPong || this.#isPaused || now - this.#ping.at < pongTimeout)
            return;
        this.#canPing = false;
        this.#ping = undefined;
        this.#read = this.#sent;
        this.#grant();
    }
    /** False once the client did not answer pings in time. */
    get answersPings() {
        return this.#canPing || this.#options.transport.ping === undefined;
    }
    get isIdle() {
        return this.#waiting.size === 0 && this.#producing.size === 0 && this.#ping === undefined;
    }
    #sendPing() {
        if (!this.#canPing || this.#isPaused || this.#ping !== undefined || this.#sent === this.#read)
            return;
        if (this.#waiting.size === 0 && this.#sent - this.#read < minPingBytes)
            return;
        this.#ping = { sent: this.#sent, at: this.#now() };
        this.#options.transport.ping?.();
    }
    #grant = () => {
        const { maxQueuedBytes, transport } = this.#options;
        const lowWater = maxQueuedBytes / 16;
        for (const [holder, resume] of this.#waiting) {
            if (this.#isClosed) {
                this.#waiting.delete(holder);
                resume(minReplyBytes);
                continue;
            }
            if (this.#producing.size >= maxProducing)
                return;
            // The pong calls this again.
            if (this.#sent - this.#read > Math.min(maxUnreadBytes, maxQueuedBytes / 8))
                return;
            if (transport.queuedBytes > lowWater)
                return transport.onceBelow(lowWater, this.#grant);
            const maxBytes = this.#replyBytes();
            this.#waiting.delete(holder);
            this.#producing.add(holder);
            resume(maxBytes);
        }
    };
    #replyBytes() {
        const max = Math.min(maxReplyBytes, this.#options.maxQueuedBytes / 8);
        const elapsed = this.#now() - this.#measured.at;
        if (elapsed < measureTime)
            return max;
        const readInShareTime = ((this.#read - this.#measured.read) / elapsed) * shareTime;
        const share = Math.max(minReplyBytes, Math.min(max, readInShareTime / this.#waiting.size));
        // A power of two, so that equal reads of several sockets can be coalesced.
        return 2 ** Math.floor(Math.log2(share));
    }
    #now() {
        return MonotonicClock.millis(this.#options.clock);
    }
}
