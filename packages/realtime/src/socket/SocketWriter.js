/**
 * The writer of one WebSocket: its queue, and writes that are batched per turn of the event loop. Two thirds of the
 * cost of a delivery is the kernel's write, so all frames queued within a turn are written as one buffer. Subscribers
 * of a topic mostly have the same frames queued, so they share that buffer.
 *
 * The writer bypasses `ws` and writes to its TCP socket. That is safe, because each write is a sequence of whole
 * frames, compression is off (so `ws` buffers no frames), and the writer stops once the socket is closing.
 *
 * While the TCP socket is full, frames stay in the bounded queue. In addition, Node and the kernel buffer at most one
 * batch and Node's high-water mark (64 KiB each).
 *
 * Plain callbacks instead of Effect: this code runs for every delivery.
 */
import { FrameQueue } from "./FrameQueue.ts";
const maxBatchBytes = 65_536;
/** In milliseconds: the longest pause between two flushes. */
const maxPause = 20;
/** A flush that took less needs no pause. */
const minPause = 1;
/**
 * Flushes all queues that received frames within a turn, at the end of the turn. All sockets of an endpoint share one.
 *
 * Under load, a flush begins no sooner than the previous one took after its end, at most {@link maxPause} later: so at most
 * half of the time is spent writing, and the frames that arrive meanwhile go out in one write for each socket. At low load
 * that time has long passed, and frames go out at once.
 */
export class Flusher {
    counts = { dropped: 0, overflowed: 0 };
    #dirty = [];
    #lastFrames = [];
    #lastBytes = new Uint8Array(0);
    /** When the next flush may begin. */
    #notBefore = 0;
    #now;
    /** `now` in milliseconds. */
    constructor(now = () => performance.now()) {
        this.#now = now;
    }
    add(writer) {
        if (this.#dirty.push(writer) > 1)
            return;
        const pause = this.#notBefore - this.#now();
        if (pause >= minPause)
            setTimeout(this.#run, pause);
        else
            setImmediate(this.#run);
    }
    /** One buffer for these frames; reused if the previous socket had the same frames. */
    concat(frames, bytes) {
        const [first] = frames;
        if (first !== undefined && frames.length === 1)
            return first.wireBytes;
        if (sameFrames(frames, this.#lastFrames))
            return this.#lastBytes;
        this.#lastFrames = frames;
        this.#lastBytes = Buffer.concat(frames.map(({ wireBytes }) => wireBytes), bytes);
        return this.#lastBytes;
    }
    #run = () => {
        const dirty = this.#dirty;
        this.#dirty = [];
        const startedAt = this.#now();
        for (const writer of dirty)
            writer.flush();
        this.#lastFrames = [];
        this.#lastBytes = new Uint8Array(0);
        const endedAt = this.#now();
        this.#notBefore = endedAt + Math.min(maxPause, endedAt - startedAt);
    };
}
export class SocketWriter extends FrameQueue {
    #socket;
    #flusher;
    #owner;
    /** A flush is scheduled, or the socket is full and will drain. */
    #waiting = false;
    /** The socket is full. */
    #isBlocked = false;
    #stallMillis;
    #takenAtSweep = 0;
    #progressAt = 0;
    /** `stallMillis`: a client with a full queue that reads nothing for this long has stopped reading. */
    constructor(wire, flusher, limit, stallMillis) {
        super(limit);
        this.#socket = wire;
        this.#flusher = flusher;
        this.#stallMillis = stallMillis;
    }
    attach(owner) {
        this.#owner = owner;
    }
    send(frame) {
        // The limit is for what the client failed to read: first offer it what is queued.
        if (!this.#isBlocked && this.isOverLimit(frame))
            this.flush();
        this.#onEnqueued(this.enqueue(frame, this.#flusher.counts));
    }
    /** For the reply to a heartbeat: a slow client closes the connection if it waits behind other frames. */
    sendFirst(frame) {
        if (!this.#isBlocked || this.isOverLimit(frame))
            return this.send(frame);
        this.#onEnqueued(this.enqueueFirst(frame));
    }
    #onEnqueued(result) {
        if (result === "overflow")
            this.#owner?.onOverflow();
        if (this.#waiting || (result !== "queued" && this.pendingSnapshots === undefined))
            return;
        this.#waiting = true;
        this.#flusher.add(this);
    }
    /** A client that reads slowly rejoins the topics that it missed; one that stopped reading is closed. */
    sweep(now) {
        if (this.missedTopics === undefined || this.takenBytes !== this.#takenAtSweep) {
            this.#takenAtSweep = this.takenBytes;
            this.#progressAt = now;
        }
        else if (now - this.#progressAt >= this.#stallMillis) {
            this.#flusher.counts.overflowed++;
            this.discard();
            this.#owner?.onOverflow();
        }
    }
    flush() {
        if (this.#isBlocked)
            return;
        this.#waiting = false;
        this.#write();
        this.notifyCapacity();
    }
    #write() {
        for (;;) {
            if (this.missedTopics !== undefined)
                for (const topic of this.takeMissedTopics())
                    this.#owner?.onMissed(topic);
            if (this.pendingSnapshots !== undefined)
                this.#sendSnapshots();
            if (this.frames === undefined || this.closed)
                return;
            if (!this.#socket.writable)
                return this.discard();
            const batch = this.#takeBatch(this.frames);
            // A large batch makes `write` return false although the kernel accepted all of it.
            if (!this.#socket.write(batch) && this.#socket.writableLength > 0) {
                this.#waiting = true;
                this.#isBlocked = true;
                this.#socket.once("drain", () => {
                    this.#isBlocked = false;
                    this.flush();
                });
                return;
            }
        }
    }
    #sendSnapshots() {
        for (const snapshot of this.takeSnapshots()) {
            const frame = this.#owner?.snapshotFrame(snapshot);
            if (frame !== undefined && this.enqueue(frame, this.#flusher.counts) === "overflow")
                this.#owner?.onOverflow();
        }
    }
    /** Removes the next batch from the queue. */
    #takeBatch(queue) {
        if (this.bytes <= maxBatchBytes) {
            const { bytes } = this;
            return this.#flusher.concat(this.takeAll(), bytes);
        }
        let bytes = 0;
        let count = 0;
        for (const frame of queue) {
            if (count > 0 && bytes + frame.wireBytes.length > maxBatchBytes)
                break;
            bytes += frame.wireBytes.length;
            if (frame.droppable)
                this.droppableBytes -= frame.wireBytes.length;
            count++;
        }
        const batch = queue.splice(0, count);
        this.frames = queue.length === 0 ? undefined : queue;
        this.bytes -= bytes;
        this.takenBytes += bytes;
        return this.#flusher.concat(batch, bytes);
    }
}
const sameFrames = (left, right) => {
    if (left.length !== right.length)
        return false;
    for (let index = 0; index < left.length; index++)
        if (left[index] !== right[index])
            return false;
    return true;
};
