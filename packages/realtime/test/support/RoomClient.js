/**
 * A chat client on a phone: connects to one of the nodes, reconnects to another one when the connection ends, recovers the
 * messages that it missed, resends each message until it is acknowledged, and records everything that it received.
 */
import { WebSocket } from "ws";
export class RoomClient {
    name;
    /** In the order in which they came. */
    received = [];
    duplicates = [];
    /** Acknowledged. */
    acknowledged = [];
    /** Close codes, in the order in which they came. */
    closeCodes = [];
    /** Joins whose reply had `recovered: false`. */
    incompleteRecoveries = 0;
    #room;
    #address;
    #ids = new Set();
    #unacknowledged = [];
    #present = new Map();
    #last = 0;
    #isJoined = false;
    /** Messages before the latest ones are missing. */
    #isBehind = false;
    #isGone = false;
    #ws;
    constructor(name, room, address) {
        this.name = name;
        this.#room = room;
        this.#address = address;
        this.#connect();
    }
    say(content) {
        this.#unacknowledged.push(content);
        if (this.#isJoined)
            this.#send(content);
    }
    /** All messages are acknowledged. */
    get isIdle() {
        return this.#isJoined && this.#unacknowledged.length === 0;
    }
    get isJoined() {
        return this.#isJoined;
    }
    /** Users in the room, as this phone shows them. */
    get present() {
        return [...new Set(this.#present.values())].sort();
    }
    leave() {
        this.#isGone = true;
        this.#ws?.terminate();
    }
    #connect() {
        if (this.#isGone)
            return;
        const ws = new WebSocket(this.#address());
        this.#ws = ws;
        ws.on("open", () => {
            this.#isBehind = false;
            const since = this.#last === 0 ? {} : { since: this.#last };
            ws.send(JSON.stringify(["1", "join", this.#room, "phx_join", { presence: true, ...since }]));
        });
        ws.on("message", (data) => this.#receive(JSON.parse(String(data))));
        ws.on("error", () => { });
        ws.on("close", (code) => {
            this.closeCodes.push(code);
            this.#isJoined = false;
            if (this.#ws === ws)
                setTimeout(() => this.#connect(), 50);
        });
    }
    #send(content) {
        this.#ws?.send(JSON.stringify(["1", `say ${content}`, this.#room, "new_message", { content, client_id: content }]));
    }
    #receive([, ref, , event, payload]) {
        if (event === "new_message")
            this.#onMessage(payload);
        else if (event === "presence_state") {
            this.#present.clear();
            this.#add(payload);
        }
        else if (event === "presence_diff") {
            this.#add(payload["joins"]);
            for (const { metas } of Object.values(usersOf(payload["leaves"])))
                for (const { phx_ref } of metas)
                    this.#present.delete(phx_ref);
        }
        else if (event === "phx_reply")
            this.#reply(String(ref), payload);
    }
    #reply(ref, { status, response }) {
        if (ref === "join") {
            if (status !== "ok")
                return this.#ws?.terminate();
            if (Object(response).recovered !== true)
                this.incompleteRecoveries++;
            const isRejoin = this.#last > 0;
            this.#onPage(Object(response), isRejoin);
            this.#isJoined = true;
            for (const content of this.#unacknowledged)
                this.#send(content);
        }
        else if (ref === "history") {
            this.#onPage(Object(response), true);
        }
        else if (ref.startsWith("say ")) {
            const content = ref.slice(4);
            const at = this.#unacknowledged.indexOf(content);
            if (at === -1)
                return;
            // Not now: once more.
            if (status !== "ok")
                return void setTimeout(() => this.#send(content), 100);
            this.#unacknowledged.splice(at, 1);
            this.acknowledged.push(content);
        }
    }
    #onPage({ messages, more }, isContinued) {
        this.#isBehind = false;
        if (Array.isArray(messages))
            for (const message of messages)
                this.#onMessage(message);
        this.#isBehind = isContinued && more === true;
        if (this.#isBehind)
            this.#ws?.send(JSON.stringify(["1", "history", this.#room, "history", { after: this.#last }]));
    }
    #onMessage(message) {
        // Its only senders are this project's own servers.
        const received = message;
        if (!this.#isBehind)
            this.#last = Math.max(this.#last, received.seq);
        if (this.#ids.has(received.id))
            this.duplicates.push(received.content);
        this.#ids.add(received.id);
        this.received.push(received);
    }
    #add(users) {
        for (const [user, { metas }] of Object.entries(usersOf(users)))
            for (const { phx_ref } of metas)
                this.#present.set(phx_ref, user);
    }
}
/** The payload format of presence events. */
const usersOf = (users) => users;
