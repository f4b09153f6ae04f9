import { engineFailureFrom } from "./Database.ts";
const maxBatch = 4096;
/** If commits are slow, the next batch waits for the callers that are being answered, which saves a commit. */
const slowCommitMillis = 4;
const batchDelayMillis = 2;
export class Engine {
    db;
    loaded = new Map();
    loading = new Map();
    peers = new Set();
    queue = [];
    pendingNotifications = [];
    wokenAddresses = new Set();
    scheduled = false;
    /** Duration of the last commit. */
    commitMillis = 0;
    closed = false;
    sweeper;
    constructor(db) {
        this.db = db;
        this.sweeper = setInterval(() => this.sweep(), 60_000);
    }
    join(peer) {
        this.peers.add(peer);
    }
    leave(peer) {
        this.peers.delete(peer);
    }
    receive(peer, batch) {
        // New callers learn from the closed connection that their call was not received.
        if (this.closed)
            return;
        for (const request of batch)
            this.queue.push({ peer, request });
        this.schedule();
    }
    /** Commits and answers everything received so far, then closes the file. */
    close() {
        clearInterval(this.sweeper);
        while (this.queue.length > 0)
            this.runBatch();
        this.closed = true;
        this.db.close();
    }
    schedule() {
        if (this.scheduled)
            return;
        this.scheduled = true;
        const run = () => {
            this.scheduled = false;
            if (this.queue.length > 0)
                this.runBatch();
            if (this.queue.length > 0)
                this.schedule();
        };
        if (this.commitMillis > slowCommitMillis)
            setTimeout(run, batchDelayMillis);
        else
            setImmediate(run);
    }
    runBatch() {
        const batch = this.queue.splice(0, maxBatch);
        const answers = new Map();
        const answer = (peer, reply) => {
            const list = answers.get(peer);
            if (list === undefined)
                answers.set(peer, [reply]);
            else
                list.push(reply);
        };
        const calls = batch.filter(({ peer, request }) => request[1] !== "" || this.handleControl(peer, request, answer));
        const together = this.transaction(() => calls.map(({ request }) => this.call(request)));
        calls.forEach(({ peer, request }, index) => {
            const result = together.ok ? ok(together.value[index]) : this.transaction(() => this.call(request));
            answer(peer, result.ok ? [request[0], true, result.value] : [request[0], false, result.fault]);
        });
        this.flushNotifications(answer);
        for (const [peer, replies] of answers)
            peer.send(replies);
    }
    transaction(body) {
        const before = this.pendingNotifications.length;
        try {
            this.db.begin();
            const value = body();
            const from = performance.now();
            this.db.exec("COMMIT");
            this.commitMillis = performance.now() - from;
            return ok(value);
        }
        catch (cause) {
            this.pendingNotifications.length = before;
            this.wokenAddresses.clear();
            return { ok: false, fault: this.rollback() ?? engineFailureFrom(cause) };
        }
    }
    /** SQLite may have rolled back already, so an error here is expected. */
    rollback() {
        try {
            this.db.exec("ROLLBACK");
            return undefined;
        }
        catch (cause) {
            const own = engineFailureFrom(cause);
            return own.kind === "defect" ? undefined : own;
        }
    }
    call([, module, operation, args]) {
        const loaded = this.loaded.get(module);
        const run = loaded?.module.operations[operation];
        if (loaded === undefined || run === undefined)
            throw new Error(`The engine knows no operation ${module}.${operation}`);
        // The caller's side is typed by the module's operations; messages are not.
        return run(this.db, args, loaded.context);
    }
    /** The engine's own operations; returns false for any other request. */
    handleControl(peer, [id, , operation, args], answer) {
        const { name, url, options, exact } = args;
        switch (operation) {
            case "listen":
                peer.subscriptions.add(name, exact === true);
                answer(peer, [id, true, undefined]);
                return false;
            case "unlisten":
                peer.subscriptions.remove(name, exact === true);
                answer(peer, [id, true, undefined]);
                return false;
            case "register":
                this.load(name, url, options).then(() => peer.send([[id, true, undefined]]), (cause) => peer.send([[id, false, isEngineFailure(cause) ? cause : engineFailureFrom(cause)]]));
                return false;
            default:
                return true;
        }
    }
    load(name, url, options) {
        const known = this.loading.get(name);
        if (known !== undefined)
            return known;
        const loading = import(url).then((module) => {
            if (this.closed)
                throw new Error("The engine is closed");
            this.migrate(name, module.migrations);
            const loaded = { module, context: this.context(name, options) };
            this.loaded.set(name, loaded);
            return loaded;
        });
        this.loading.set(name, loading);
        loading.catch(() => this.loading.delete(name));
        return loading;
    }
    migrate(name, migrations) {
        const row = this.db.get("SELECT version FROM armoricore_schema WHERE module = ?", name);
        const version = row?.version ?? 0;
        if (version > migrations.length) {
            const newer = {
                kind: "configuration",
                message: `The data folder was written by a newer version of armoricore (module ${name} has schema ${version}, this version knows ${migrations.length}); update armoricore, or choose another ARMORICORE_DATA_DIR`,
            };
            throw newer;
        }
        const result = this.transaction(() => {
            for (const script of migrations.slice(version))
                this.db.exec(script);
            this.db.run("INSERT INTO armoricore_schema VALUES (?, ?) ON CONFLICT (module) DO UPDATE SET version = excluded.version", name, migrations.length);
        });
        if (!result.ok)
            throw result.fault;
    }
    context(name, options) {
        return {
            options,
            hasSubscribers: (topic) => {
                for (const { subscriptions } of this.peers)
                    if (subscriptions.matches(`${name}/${topic}`))
                        return true;
                return false;
            },
            emit: (topic, data) => {
                // A notification without data is sent only once per transaction.
                const address = `${name}/${topic}`;
                if (data === undefined && this.wokenAddresses.has(address))
                    return;
                if (data === undefined)
                    this.wokenAddresses.add(address);
                this.pendingNotifications.push([name, topic, data]);
            },
        };
    }
    flushNotifications(answer) {
        const notifications = this.pendingNotifications;
        this.pendingNotifications = [];
        this.wokenAddresses.clear();
        for (const [module, topic, data] of notifications) {
            const address = `${module}/${topic}`;
            for (const peer of this.peers)
                if (peer.subscriptions.matches(address))
                    answer(peer, [0, module, topic, data]);
        }
    }
    sweep() {
        for (const [name, { module, context }] of this.loaded) {
            const { sweep } = module;
            if (sweep === undefined)
                continue;
            const result = this.transaction(() => sweep(this.db, context, Date.now()));
            // The thread has no logger; standard error is visible to the operator.
            if (!result.ok)
                process.stderr.write(`armoricore: sweeping ${name} failed: ${result.fault.message}\n`);
        }
        this.flushNotifications((peer, reply) => peer.send([reply]));
    }
}
const ok = (value) => ({ ok: true, value });
const isEngineFailure = (cause) => typeof cause === "object" && cause !== null && "kind" in cause;
