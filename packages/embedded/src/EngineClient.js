import { Effect, Fiber, SubscriptionRef } from "effect";
import { errorFrom, unavailable } from "./Transport.ts";
/** A batch of this many calls is sent at once: the engine commits it while the next one fills. */
const maxBatch = 64;
/** In milliseconds: a deferred call that no other call takes along is sent after this time. */
const deferral = 5;
export class EngineClient {
    connected;
    pending = new Map();
    subscriptions = new Set();
    exactSubscriptions = new Map();
    modules = new Map();
    transport;
    /** Calls wait for this: a new owner must load the modules first. */
    isReady = false;
    queue = [];
    scheduled = false;
    deferTimer;
    lastId = 0;
    constructor(connected) {
        this.connected = connected;
    }
    call(module, operation, args, options) {
        return Effect.callback((resume) => {
            if (this.transport === undefined || (!this.isReady && module !== ""))
                return resume(Effect.fail(unavailable("The engine of the data folder is unreachable; reconnecting")));
            const id = this.send([module, operation, args], resume, options?.deferred === true);
            return Effect.sync(() => void this.pending.delete(id));
        });
    }
    /** Registers a module with the engine, now and after every reconnect. */
    register(name, url, options) {
        const args = { name, url, options };
        this.modules.set(name, args);
        return Effect.asVoid(this.call("", "register", args));
    }
    /** Subscribes; the returned effect unsubscribes. */
    subscribe(address, onNotification, exact) {
        return Effect.suspend(() => {
            const subscription = { address, exact, onNotification };
            this.add(subscription);
            const stop = Effect.suspend(() => {
                this.remove(subscription);
                return Effect.ignore(this.call("", "unlisten", { name: address, exact }));
            });
            return this.call("", "listen", { name: address, exact }).pipe(Effect.as(stop), Effect.onError(() => Effect.sync(() => this.remove(subscription))));
        });
    }
    add(subscription) {
        if (!subscription.exact)
            return void this.subscriptions.add(subscription);
        const same = this.exactSubscriptions.get(subscription.address);
        if (same === undefined)
            this.exactSubscriptions.set(subscription.address, new Set([subscription]));
        else
            same.add(subscription);
    }
    remove(subscription) {
        this.subscriptions.delete(subscription);
        const same = this.exactSubscriptions.get(subscription.address);
        if (same?.delete(subscription) === true && same.size === 0)
            this.exactSubscriptions.delete(subscription.address);
    }
    /**
     * Stays connected until the scope closes. The first connection must succeed; later ones are attempted every half
     * second.
     */
    connect = (dial) => Effect.gen({ self: this }, function* () {
        const lost = { signal: undefined };
        const once = () => {
            // The previous connection may have been lost during its handshake.
            this.isReady = false;
            return dial({ onBatch: (batch) => this.receive(batch), onClose: () => this.handleClose(lost.signal) }).pipe(Effect.tap((transport) => Effect.sync(() => void (this.transport = transport))), Effect.tap(() => this.handshake()), Effect.tap(() => Effect.sync(() => void (this.isReady = true))), Effect.tap(() => SubscriptionRef.set(this.connected, true)));
        };
        yield* once();
        const keeper = yield* Effect.forkScoped(Effect.forever(Effect.callback((resume) => {
            lost.signal = () => resume(Effect.void);
            if (this.transport === undefined)
                resume(Effect.void);
        }).pipe(Effect.andThen(SubscriptionRef.set(this.connected, false)), Effect.andThen(Effect.logWarning("The connection to the engine of the data folder is lost; reconnecting")), Effect.andThen(Effect.suspend(once).pipe(Effect.tapError(() => Effect.sleep("500 millis")), Effect.eventually)))));
        yield* Effect.addFinalizer(() => Fiber.interrupt(keeper).pipe(Effect.andThen(Effect.suspend(() => {
            this.flush();
            return this.transport === undefined ? Effect.void : this.transport.close;
        }))));
    });
    /** A new connection knows no registrations or subscriptions of the old one. */
    handshake() {
        return Effect.suspend(() => Effect.all([
            ...[...this.modules.values()].map((args) => this.call("", "register", args)),
            ...[...this.subscriptions, ...[...this.exactSubscriptions.values()].flatMap((same) => [...same])].map(({ address, exact }) => this.call("", "listen", { name: address, exact })),
        ], { discard: true, concurrency: "unbounded" }));
    }
    send([module, operation, args], resume, isDeferred) {
        const id = ++this.lastId;
        this.pending.set(id, resume);
        this.queue.push([id, module, operation, args]);
        if (this.queue.length >= maxBatch)
            this.flush();
        else if (isDeferred)
            this.deferTimer ??= setTimeout(() => this.flush(), deferral);
        else if (!this.scheduled) {
            this.scheduled = true;
            setImmediate(() => {
                this.scheduled = false;
                this.flush();
            });
        }
        return id;
    }
    flush() {
        clearTimeout(this.deferTimer);
        this.deferTimer = undefined;
        const batch = this.queue;
        this.queue = [];
        if (batch.length > 0)
            this.transport?.send(batch);
    }
    receive(batch) {
        for (const reply of batch) {
            if (reply.length === 4)
                this.notify(reply[1], reply[2], reply[3]);
            else
                this.settle(reply);
        }
    }
    settle([id, ok, value]) {
        const resume = this.pending.get(id);
        this.pending.delete(id);
        if (resume === undefined)
            return;
        if (ok)
            resume(Effect.succeed(value));
        else if (value.kind === "defect")
            resume(Effect.die(new Error(value.message)));
        else
            resume(Effect.fail(errorFrom(value)));
    }
    notify(module, topic, data) {
        const address = `${module}/${topic}`;
        for (const listener of this.exactSubscriptions.get(address) ?? [])
            listener.onNotification({ module, topic, data });
        for (const listener of this.subscriptions) {
            if (address.startsWith(listener.address))
                listener.onNotification({ module, topic, data });
        }
    }
    handleClose(signal) {
        this.transport = undefined;
        this.isReady = false;
        this.queue = [];
        const waiting = [...this.pending.values()];
        this.pending.clear();
        for (const resume of waiting)
            resume(Effect.fail(unavailable("The connection to the engine was lost during the call; retry it")));
        signal?.();
    }
}
