export class FrameQueue {
    frames = undefined;
    bytes = 0;
    droppableBytes = 0;
    closed = false;
    pendingSnapshots = undefined;
    /** Topics with a history whose frames were dropped. */
    missedTopics = undefined;
    /** Bytes that left the queue since the connection opened. */
    takenBytes = 0;
    #limit;
    #capacityListener = undefined;
    constructor(limit) {
        this.#limit = limit;
    }
    get queuedBytes() {
        return this.bytes;
    }
    /** Calls the listener once, as soon as at most `below` bytes are queued. Replaces an earlier listener. */
    onceBelow(below, listener) {
        this.#capacityListener = { below, listener };
    }
    /** To be called after frames left the queue. */
    notifyCapacity() {
        const waiting = this.#capacityListener;
        if (waiting === undefined || this.bytes > waiting.below)
            return;
        this.#capacityListener = undefined;
        waiting.listener();
    }
    /** Returns `overflow` if a frame that is not droppable found no room; the queue is closed then. */
    enqueue(frame, counts) {
        if (this.closed)
            return "dropped";
        if (this.#isSuperseded(frame)) {
            counts.dropped++;
            return "dropped";
        }
        const size = frame.wireBytes.length;
        if (this.isOverLimit(frame)) {
            const result = this.#evictDroppable(frame, counts);
            if (result !== undefined)
                return result;
        }
        if (this.frames === undefined)
            this.frames = [frame];
        else
            this.frames.push(frame);
        this.bytes += size;
        if (frame.droppable)
            this.droppableBytes += size;
        return "queued";
    }
    enqueueFirst(frame) {
        if (this.closed)
            return "dropped";
        if (this.frames === undefined)
            this.frames = [frame];
        else
            this.frames.unshift(frame);
        this.bytes += frame.wireBytes.length;
        if (frame.droppable)
            this.droppableBytes += frame.wireBytes.length;
        return "queued";
    }
    /** A single frame always fits: the client has read everything before it. */
    isOverLimit(frame) {
        return this.bytes > 0 && this.bytes + frame.wireBytes.length > this.#limit;
    }
    /** Removes and returns all queued frames. */
    takeAll() {
        const frames = this.frames ?? [];
        this.takenBytes += this.bytes;
        this.#clear();
        return frames;
    }
    /** Removes and returns the topics whose frames were dropped, once half of the queue is free. */
    takeMissedTopics() {
        if (this.missedTopics === undefined || this.bytes * 2 > this.#limit)
            return [];
        const topics = [...this.missedTopics];
        this.missedTopics = undefined;
        return topics;
    }
    /** Removes and returns the pending snapshots, once half of the queue is free. */
    takeSnapshots() {
        if (this.pendingSnapshots === undefined || this.bytes * 2 > this.#limit)
            return [];
        const snapshots = [...this.pendingSnapshots.values()];
        this.pendingSnapshots = undefined;
        return snapshots;
    }
    /** Drops all queued frames and accepts no more. */
    discard() {
        this.closed = true;
        this.pendingSnapshots = undefined;
        this.missedTopics = undefined;
        this.#clear();
    }
    #clear() {
        this.frames = undefined;
        this.bytes = 0;
        this.droppableBytes = 0;
    }
    /**
     * Drops the droppable frames. Returns `undefined` if that makes room for `frame`, otherwise the result of `enqueue`.
     */
    #evictDroppable(frame, counts) {
        if (this.droppableBytes > 0 && this.frames !== undefined) {
            const remaining = this.frames.filter((queued) => !queued.droppable || this.#drop(queued, counts));
            this.frames = remaining.length === 0 ? undefined : remaining;
            this.bytes -= this.droppableBytes;
            this.droppableBytes = 0;
            if (!this.#isSuperseded(frame) && !this.isOverLimit(frame))
                return undefined;
        }
        if (frame.droppable) {
            this.#drop(frame, counts);
            return "dropped";
        }
        return this.#evictReplayable(frame, counts);
    }
    #evictReplayable(frame, counts) {
        for (const { replayableTopic } of [frame, ...(this.frames ?? [])])
            if (replayableTopic !== undefined)
                (this.missedTopics ??= new Set()).add(replayableTopic);
        const remaining = this.frames?.filter((queued) => {
            if (!this.#isSuperseded(queued))
                return true;
            this.bytes -= queued.wireBytes.length;
            counts.dropped++;
            return false;
        });
        this.frames = remaining?.length === 0 ? undefined : remaining;
        if (this.#isSuperseded(frame)) {
            counts.dropped++;
            return "dropped";
        }
        if (!this.isOverLimit(frame))
            return undefined;
        counts.overflowed++;
        this.discard();
        return "overflow";
    }
    #drop({ snapshot }, counts) {
        counts.dropped++;
        if (snapshot !== undefined)
            (this.pendingSnapshots ??= new Map()).set(keyOf(snapshot), snapshot);
        return false;
    }
    #isSuperseded({ replayableTopic, snapshot }) {
        return ((snapshot !== undefined && this.pendingSnapshots?.has(keyOf(snapshot)) === true) ||
            (replayableTopic !== undefined && this.missedTopics?.has(replayableTopic) === true));
    }
}
/** Unambiguous, because no event of a channel contains a space. */
const keyOf = ({ event, topic }) => `${event} ${topic}`;
