/** The official client in a chat room, as an application uses it: it applies every event to its own view of the room. */
import { Effect } from "effect";
import { Socket } from "phoenix";
import { WebSocket } from "ws";
export class ChatClient {
    socket;
    channel;
    /** By id. */
    messages = new Map();
    /** Everything that arrived. */
    received = [];
    joins = 0;
    incompleteRecoveries = 0;
    #since;
    #rev;
    #isBehind = false;
    constructor(url, token, topic) {
        this.socket = new Socket(url, {
            transport: WebSocket,
            params: { token },
            reconnectAfterMs: () => 10,
            rejoinAfterMs: () => 10,
        });
        this.channel = this.socket.channel(topic, () => this.#since === undefined ? {} : { since: this.#since, rev: this.#rev });
        for (const event of [
            "new_message",
            "new_comment",
            "message_edited",
            "message_removed",
            "comment_removed",
            "reactions",
            "read",
        ]) {
            this.channel.on(event, (payload) => {
                this.received.push({ event, payload });
                this.#apply({ event, payload: payload });
            });
        }
    }
    /** The room as its members see it, ascending. */
    get view() {
        return [...this.messages.values()]
            .sort((a, b) => a.seq - b.seq)
            .map(({ id, content, edited_at, reactions = {} }) => ({
            id,
            content,
            isEdited: edited_at !== undefined,
            reactions: Object.fromEntries(Object.entries(reactions).sort()),
        }));
    }
    get since() {
        return this.#since;
    }
    /** As a client that knows nothing of `rev`. */
    forgetRev() {
        this.#rev = undefined;
    }
    join() {
        this.socket.connect();
        const push = this.channel.join();
        push.receive("ok", (reply) => this.#addJoin(reply));
        return Effect.callback((resume) => {
            for (const status of ["ok", "error", "timeout"])
                push.receive(status, (response) => resume(Effect.succeed({ status, response })));
        });
    }
    push(event, payload) {
        return Effect.callback((resume) => {
            const push = this.channel.push(event, payload);
            for (const status of ["ok", "error", "timeout"])
                push.receive(status, (response) => resume(Effect.succeed({ status, response })));
        });
    }
    /** The response to a push that succeeds. */
    ask(event, payload) {
        return Effect.flatMap(this.push(event, payload), ({ status, response }) => status === "ok" ? Effect.succeed(response) : Effect.die(new Error(`${event}: ${JSON.stringify(response)}`)));
    }
    say(content, extra = {}) {
        return Effect.map(this.ask("new_message", { content, ...extra }), (message) => message);
    }
    #addJoin(page) {
        const isRejoin = this.#since !== undefined;
        this.joins++;
        if (page.recovered === false) {
            this.incompleteRecoveries++;
            this.messages.clear();
            this.#rev = undefined;
        }
        this.#addPage({ ...page, more: isRejoin && page.more });
    }
    #addPage({ changes = [], comments = [], messages = comments, more, rev }) {
        this.#isBehind = false;
        for (const message of messages)
            this.#add(message);
        for (const change of changes)
            this.#apply(change);
        if (rev !== undefined)
            this.#rev = Math.max(this.#rev ?? 0, rev);
        this.#isBehind = more;
        if (!more)
            return;
        this.channel
            .push("history", { after: this.#since, rev: this.#rev })
            .receive("ok", (reply) => this.#addPage(reply));
    }
    #add(message) {
        this.messages.set(message.id, message);
        if (!this.#isBehind)
            this.#since = Math.max(this.#since ?? 0, message.seq);
    }
    #apply({ event, payload }) {
        if (event === "new_message" || event === "new_comment")
            return this.#add(payload);
        if (payload.rev !== undefined && !this.#isBehind)
            this.#rev = Math.max(this.#rev ?? 0, payload.rev);
        const message = this.messages.get(payload.id);
        if (message === undefined)
            return;
        if (event === "message_edited")
            this.messages.set(payload.id, payload);
        if (event === "message_removed" || event === "comment_removed")
            this.messages.delete(payload.id);
        if (event === "reactions")
            this.messages.set(payload.id, { ...message, reactions: payload.counts ?? {} });
    }
}
/** A client that has joined; it disconnects with the scope. */
export const joined = Effect.fnUntraced(function* (server, user, topic = "chat:room:r1", roles = []) {
    const client = new ChatClient(server.url, yield* server.token(user, { roles }), topic);
    yield* Effect.addFinalizer(() => Effect.sync(() => client.socket.disconnect()));
    yield* client.join();
    return client;
});
