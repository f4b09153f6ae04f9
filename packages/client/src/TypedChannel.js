export const isErrorReply = (error) => typeof error === "object" && error !== null && "reason" in error && typeof error.reason === "string";
/** In milliseconds, before a failed request for a page is repeated. */
const retryDelay = 1000;
/** The running page request of each socket: one at a time, so that none waits behind the pages of other channels. */
const requests = new WeakMap();
const inTurn = (socket, request) => {
    const turn = (requests.get(socket) ?? Promise.resolve()).then(request, request);
    requests.set(socket, turn);
    return turn;
};
const pause = (millis) => new Promise((resolve) => setTimeout(resolve, millis));
/** Settles with the reply to a push of the `phoenix` client. */
export const request = (push) => new Promise((resolve, reject) => {
    push
        // The server encodes with the declarations from which the types are generated.
        .receive("ok", (response) => resolve(response))
        .receive("error", (response) => reject(response))
        .receive("timeout", () => reject({ reason: "timeout" }));
});
/** Events whose `seq` is not a position of this topic's history that was received. */
const untrackedEvents = new Set(["read"]);
/** Up to which `seq`, and up to which change (`rev`), the channel received everything. */
class Position {
    since;
    rev;
    /** A page is missing before the latest messages, so these do not move the position. */
    isBehind = false;
    /** The history may have been reset, so a lower `seq` is its first one. */
    #mayFall = false;
    track(value) {
        if (this.isBehind || typeof value !== "object" || value === null)
            return;
        // A change has the `seq` of the message that it is about.
        if ("rev" in value)
            return this.#trackRev(value.rev);
        if (!("seq" in value) || typeof value.seq !== "number")
            return;
        // After an outage of the history, a message may arrive with a lower `seq` than the one before it.
        this.since = this.#mayFall ? value.seq : Math.max(this.since ?? 0, value.seq);
        this.#mayFall = false;
    }
    /** For a request; absent before the first change. */
    get revision() {
        return this.rev === undefined ? {} : { rev: this.rev };
    }
    /** Returns true if pages are missing. */
    onJoin(reply, isContinued) {
        this.isBehind = false;
        this.#mayFall = reply["recovered"] === false;
        if (this.#mayFall)
            this.rev = undefined;
        this.trackAll(reply);
        this.isBehind = isContinued && reply["more"] === true;
        return this.isBehind;
    }
    /** The next page after the position. */
    onPage(page) {
        this.isBehind = false;
        if (page["recovered"] === false)
            this.#mayFall = true;
        this.trackAll(page);
        this.isBehind = page["more"] === true;
    }
    #trackRev(rev) {
        if (typeof rev === "number")
            this.rev = Math.max(this.rev ?? 0, rev);
    }
    trackAll(reply) {
        this.#trackRev(reply["rev"]);
        for (const list of Object.values(reply))
            if (Array.isArray(list))
                for (const item of list)
                    this.track(item);
    }
}
export const channel = (socket, topic, payload) => {
    const position = new Position();
    /** Increases with each join; an earlier join's requests for pages end then. */
    let joinCount = 0;
    let isContinued = false;
    const joinListeners = [];
    const catchUpListeners = [];
    const raw = socket.channel(topic, () => {
        // `last` limits the first join only; a later join with it would request smaller pages.
        const params = Object.assign({}, payload, position.since === undefined ? {} : { since: position.since, ...position.revision, last: undefined });
        isContinued = typeof params["since"] === "number";
        return params;
    });
    const listeners = new Map();
    const dispatch = (event, message) => {
        for (const listener of listeners.get(event) ?? [])
            listener(message);
    };
    const onEvent = (event, listener) => {
        const known = listeners.get(event);
        if (known !== undefined)
            return void known.push(listener);
        listeners.set(event, [listener]);
        raw.on(event, (message) => {
            if (!untrackedEvents.has(event))
                position.track(message);
            dispatch(event, message);
        });
    };
    /** The edits, removals and reactions that a reply has beside its messages. */
    const dispatchChanges = ({ changes }) => {
        if (Array.isArray(changes))
            for (const { event, payload } of changes)
                dispatch(event, payload);
    };
    /** Requests pages until everything that the join number `join` missed has arrived. */
    const catchUp = async (join) => {
        const isCurrent = () => join === joinCount;
        while (isCurrent() && position.isBehind) {
            try {
                await inTurn(socket, async () => {
                    if (!isCurrent())
                        return;
                    const page = await request(raw.push(topic.startsWith("inbox:") ? "items" : "history", {
                        after: position.since,
                        ...position.revision,
                    }));
                    if (!isCurrent())
                        return;
                    position.onPage(page);
                    for (const listener of catchUpListeners)
                        listener(page);
                    dispatchChanges(page);
                });
            }
            catch (error) {
                const wait = isErrorReply(error) ? error["retry_after_ms"] : undefined;
                await pause(typeof wait === "number" ? wait : retryDelay);
            }
        }
    };
    return {
        raw,
        join: () => {
            const push = raw.join();
            push.receive("ok", (reply) => {
                const isBehind = position.onJoin(reply, isContinued);
                for (const listener of joinListeners)
                    listener(reply);
                dispatchChanges(reply);
                joinCount++;
                if (isBehind)
                    void catchUp(joinCount);
            });
            return request(push);
        },
        onJoin: (listener) => {
            joinListeners.push(listener);
        },
        onCatchUp: (listener) => {
            catchUpListeners.push(listener);
        },
        push: (event, content) => request(raw.push(event, Object.assign({}, content))),
        on: (event, listener) => onEvent(event, (message) => listener(message)),
        onEvent,
        refreshToken: (token) => request(raw.push("access_token", { token })),
        leave: async () => {
            joinCount++;
            await request(raw.leave());
        },
    };
};
